import ChatTestSupport
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct FrameFuzzTests {
    private func parse(_ pieces: [[UInt8]], takesBinary: Bool) -> (
        messages: [WebSocketFrameParser.Message], CloseReason?
    ) {
        var parser = WebSocketFrameParser(takesBinary: takesBinary)
        var messages: [WebSocketFrameParser.Message] = []
        do throws(CloseReason) {
            for piece in pieces {
                parser.append(ByteBuffer(bytes: piece))
                while let message = try parser.next() { messages.append(message) }
            }
        } catch {
            return (messages, error)
        }
        return (messages, nil)
    }

    @Test func `however a stream is cut, it decodes to the same messages, and its text is UTF-8`() throws {
        var fuzzer = Fuzzer("frames")
        try fuzzer.run { input, random in
            let takesBinary = Bool.random(using: &random)
            let whole = parse([input], takesBinary: takesBinary)
            let cut = parse(random.pieces(input), takesBinary: takesBinary)
            guard whole == cut else { return "\(whole) is not \(cut)" }
            for case .text(let text) in whole.messages
            where String(validating: text.readableBytesView, as: UTF8.self) == nil {
                return "text that is none"
            }
            return nil
        }
    }
}
