import ChatTestSupport
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import CommonServer

/// Two readers of one stream must never disagree on where a request ends: what follows would be read as another one
/// (RFC 9112 section 11.2, request smuggling).
@Suite("Fuzzing: heads of requests", .timeLimit(.minutes(2)))
struct RequestHeadFuzzTests {
    @Test func `a head that is read here is the same to NIO's decoder, and so is the end of its request`() throws {
        var fuzzer = Fuzzer("request-heads")
        try fuzzer.run { input, random in
            var reader = RequestHeadReader()
            var finding = RequestHeadReader.Finding.incomplete
            // However the bytes are cut, what is found is the same.
            var (length, bytesGiven) = (0, 0)
            var bytes = ByteBuffer()
            while case .incomplete = finding, length < input.count {
                length += min(Int.random(in: 1...64, using: &random), input.count - length)
                // Empty lines in front are taken away as they come.
                bytes.writeBytes(input[bytesGiven..<length])
                bytesGiven = length
                finding = reader.find(in: &bytes)
            }
            var atOnce = RequestHeadReader()
            var whole = ByteBuffer(bytes: input)
            switch (finding, atOnce.find(in: &whole)) {
            case (.incomplete, .incomplete), (.refused, .refused): return nil
            case (.head(let head), .head(let other)):
                guard head.length == other.length, head.contentLength == other.contentLength else {
                    return "another head when read at once"
                }
                return disagreement(head, Array(whole.readableBytesView))
            default: return "another finding when read at once"
            }
        }
    }

    /// - Returns: in what NIO's decoder sees the request another way.
    private func disagreement(_ head: RequestHead, _ input: [UInt8]) -> String? {
        guard case .length(0..<10_000) = head.framing else { return nil }
        let body = Array(input.dropFirst(head.length).prefix(head.contentLength))
        let padding = [UInt8](repeating: 0x78, count: head.contentLength - body.count)
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish() }
        var parts: [HTTPServerRequestPart] = []
        do {
            try channel.writeInbound(ByteBuffer(bytes: input.prefix(head.length) + body + padding))
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) { parts.append(part) }
        } catch {
            // A method that it does not know, for one. After a refusal nothing more is read.
            return nil
        }
        guard case .head(let other)? = parts.first, case .end? = parts.last else { return "NIO sees no whole request" }
        let read = parts.reduce(0) { if case .body(let buffer) = $1 { $0 + buffer.readableBytes } else { $0 } }
        guard read == head.contentLength else { return "a body of \(read) bytes" }
        guard head.isMethod(other.method.rawValue),
            other.uri.hasSuffix(head.target) || head.target.hasPrefix("/") && other.uri.contains("://")
        else { return "another request line" }
        let names: [StaticString] = ["content-type", "authorization", "x-user-id", "connection", "origin"]
        for name in names {
            // NIO leaves the blanks behind a value, which do not belong to it (RFC 9112 section 5).
            let values = other.headers["\(name)"].map { value in
                String(value.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
            }
            guard head.values(name) == values, head[name] == (values.isEmpty ? nil : values.joined(separator: ","))
            else { return "another \(name)" }
        }
        return nil
    }
}
