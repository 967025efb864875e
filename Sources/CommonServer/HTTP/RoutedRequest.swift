import CommonUtil
import HTTPTypes
import NIOCore

/// A request that goes through the router: how much of its body is still to come, and how far its response is. Does no
/// I/O.
struct RoutedRequest {
    private enum Body {
        case length(remaining: Int)
        case chunked(ChunkedBody)
        case complete
    }

    /// Whether the route reads the body at its own pace, without a limit on its time as a whole.
    let isUpload: Bool
    /// The origin of the page that made the request.
    let origin: String?
    /// What the client calls the request (`X-Request-Id`) and its trace (`traceparent`), as it was sent.
    let clientIDs: (request: String?, trace: String?)
    private var body: Body
    private var bytesDropped = 0
    /// Whether the client waits with the body until it is requested.
    private(set) var awaitsContinue: Bool
    private let isHead: Bool
    private let isVersion10: Bool
    private var response: ResponseFraming?
    private(set) var isResponseComplete = false
    /// Whether the route reads the body while it writes the response (``RequestExchange``).
    private(set) var isExchange = false
    /// Whether the connection ends with the response.
    private(set) var closes: Bool

    /// Begins with the head of a request.
    /// - Parameter isUpload: whether the route was declared as one.
    init(_ head: RequestHead, isUpload: Bool = false) {
        self.isUpload = isUpload
        origin = head["origin"]
        clientIDs = (head["x-request-id"], head["traceparent"])
        body =
            switch head.framing {
            case .length(let length): .length(remaining: length)
            case .chunked: .chunked(ChunkedBody())
            }
        awaitsContinue = head.expectsContinue
        isHead = head.isMethod("HEAD")
        isVersion10 = head.isVersion10
        closes = head.closes
    }

    /// Makes the request one whose body is read while the response is written.
    mutating func beginExchange() { isExchange = true }

    // MARK: The body

    /// Whether the whole body has been taken.
    var isBodyComplete: Bool { if case .complete = body { true } else { false } }

    /// Takes the next part of the body.
    /// - Returns: `.incomplete` where more input is needed, and once the body is complete.
    /// - Throws: `body_too_large` if too much comes behind the response (``RequestBounds/maximumDroppedBytes``), else what
    ///   ``ChunkedBody`` throws.
    mutating func takeBody(_ bytes: inout ByteBuffer) throws(ChatError) -> ChunkedBody.Part {
        let part: ChunkedBody.Part
        switch body {
        case .complete:
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
        case .data where hasResponseBegun && isUpload:
            // The connection ends with the response, which bounds what is still read.
            break
        case .data(let data) where isExchange ? isResponseComplete : hasResponseBegun:
            bytesDropped += data.readableBytes
            guard bytesDropped <= RequestBounds.maximumDroppedBytes else { throw ChatError(.bodyTooLarge) }
        case .data: break
        case .end: body = .complete
        }
        return part
    }

    /// Whether the time for the body is that of each piece, while the route wants it.
    var isPaced: Bool { isUpload || isExchange }

    /// Notes that the body is wanted.
    /// - Returns: whether the client is to be sent `100 Continue`.
    mutating func acceptBody() -> Bool {
        defer { awaitsContinue = false }
        return awaitsContinue && !hasResponseBegun
    }

    // MARK: The response

    /// Whether the head of the final response is written.
    var hasResponseBegun: Bool { response != nil }

    /// Begins the response.
    /// - Parameter isLast: whether the server ends the connection after it.
    /// - Returns: the bytes of the head (RFC 9112 section 4).
    mutating func begin(_ head: HTTPResponse, isLast: Bool, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var fields = head.headerFields
        if let connection = fields[.connection] { closes = closes || TokenList(connection).contains("close") }
        closes = closes || isLast || isUpload && !isBodyComplete
        let framing = ResponseFraming(head, isHead: isHead, isVersion10: isVersion10)
        if framing == .chunked { fields[.transferEncoding] = "chunked" }
        if framing == .untilClose { closes = true }
        if closes { fields[.connection] = "close" }
        response = framing
        var bytes = allocator.buffer(capacity: 512)
        bytes.writeResponseHead(head.status, fields)
        bytes.writeStaticString("\r\n")
        return bytes
    }

    /// Frames a piece of the response's body.
    /// - Returns: the bytes to send; `nil` for none.
    func frame(_ body: ByteBuffer, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard body.readableBytes > 0 else { return nil }
        switch response {
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

    /// Ends the response.
    /// - Returns: the bytes to send; trailers are not sent.
    mutating func end() -> ByteBuffer {
        isResponseComplete = true
        // An exchange that ends before its body was broken off. What follows may be long, and nobody wants it.
        if isExchange, !isBodyComplete { closes = true }
        return response == .chunked ? ByteBuffer(string: "0\r\n\r\n") : ByteBuffer()
    }
}

/// The event by which a route says that it begins to read the body of an upload: a client that waits for `100 Continue` gets
/// it.
struct UploadAccepted: Sendable {}

/// The event by which a route says, before it responds, that it reads the body of its request while it writes the response.
struct ExchangeBegins: Sendable {}

extension ChatError {
    /// The connection ended before a request was whole.
    static let incompleteRequest = ChatError(.malformedRequest, "The request did not arrive whole")
}

/// How the end of a response's body is marked (RFC 9112 section 6.3).
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
