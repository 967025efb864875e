import CommonUtil
import HTTPTypes
import NIOCore

/// A request that a route answers: how much of it is still to come, and how far its answer is. Pure, no I/O.
struct RoutedRequest {
    private enum Body {
        case length(remaining: Int)
        case chunked(ChunkedBody)
        case whole
    }

    private var body: Body
    private var bytesRead = 0
    private let isHead: Bool
    private let isVersion10: Bool
    private var answer: ResponseFraming?
    private(set) var isAnswered = false
    /// Whether the connection ends with the answer.
    private(set) var closes: Bool

    init(_ head: RequestHead) {
        body =
            switch head.framing {
            case .length(let length): .length(remaining: length)
            case .chunked: .chunked(ChunkedBody())
            }
        isHead = head.isMethod("HEAD")
        isVersion10 = head.isVersion10
        closes = head.closes
    }

    // MARK: The body

    var isBodyWhole: Bool { if case .whole = body { true } else { false } }

    /// - Returns: the next part of the body; `.incomplete` also once it is whole.
    /// - Throws: `body_too_large` beyond ``RequestBounds/maximumReadBytes``, else what ``ChunkedBody`` throws.
    mutating func takeBody(_ bytes: inout ByteBuffer) throws(ChatError) -> ChunkedBody.Part {
        let part: ChunkedBody.Part
        switch body {
        case .whole:
            return .incomplete
        case .length(0):
            part = .end
        case .length(let remaining):
            guard let data = bytes.readSlice(length: min(remaining, bytes.readableBytes)), data.readableBytes > 0 else {
                return .incomplete
            }
            body = .length(remaining: remaining - data.readableBytes)
            part = .data(data)
        case .chunked(var chunked):
            part = try chunked.next(&bytes)
            body = .chunked(chunked)
        }
        switch part {
        case .incomplete: break
        case .data(let data):
            bytesRead += data.readableBytes
            guard bytesRead <= RequestBounds.maximumReadBytes else { throw ChatError(.bodyTooLarge) }
        case .end: body = .whole
        }
        return part
    }

    // MARK: The answer

    /// Whether something of the final answer is written.
    var isAnswerBegun: Bool { answer != nil }

    /// - Parameter isLast: whether the server wants to end the connection.
    /// - Returns: the answer's head as HTTP/1.1 has it.
    mutating func begin(_ head: HTTPResponse, isLast: Bool, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var fields = head.headerFields
        if let connection = fields[.connection] { closes = closes || TokenList(connection).contains("close") }
        closes = closes || isLast
        let framing = ResponseFraming(head, isHead: isHead, isVersion10: isVersion10)
        if framing == .chunked { fields[.transferEncoding] = "chunked" }
        if framing == .untilClose { closes = true }
        if closes { fields[.connection] = "close" }
        answer = framing
        var bytes = allocator.buffer(capacity: 512)
        bytes.writeResponseHead(head.status, fields)
        bytes.writeStaticString("\r\n")
        return bytes
    }

    /// - Returns: a piece of the answer's body as it is sent; `nil` for none.
    func frame(_ body: ByteBuffer, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard body.readableBytes > 0 else { return nil }
        switch answer {
        case nil, .bodiless: return nil
        case .length, .untilClose: return body
        case .chunked:
            var bytes = allocator.buffer(capacity: body.readableBytes + 16)
            bytes.writeString("\(String(body.readableBytes, radix: 16))\r\n")
            bytes.writeImmutableBuffer(body)
            bytes.writeStaticString("\r\n")
            return bytes
        }
    }

    /// - Returns: what ends the answer; trailers are not sent.
    mutating func end() -> ByteBuffer {
        isAnswered = true
        return answer == .chunked ? ByteBuffer(string: "0\r\n\r\n") : ByteBuffer()
    }
}

/// How the end of an answer's body is told (RFC 9112 section 6.3).
private enum ResponseFraming {
    case bodiless, length, chunked, untilClose

    init(_ head: HTTPResponse, isHead: Bool, isVersion10: Bool) {
        switch head.status.code {
        case _ where isHead: self = .bodiless
        case 100..<200, 204, 304: self = .bodiless
        case _ where head.headerFields.contains(.contentLength): self = .length
        default: self = isVersion10 ? .untilClose : .chunked
        }
    }
}
