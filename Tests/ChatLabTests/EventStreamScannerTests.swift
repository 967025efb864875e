import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct EventStreamScannerTests {
    private func items(_ chunks: String...) throws -> [EventStreamScanner.Item] {
        var scanner = EventStreamScanner()
        var items: [EventStreamScanner.Item] = []
        for chunk in chunks {
            scanner.append(ByteBuffer(string: chunk))
            while let item = try scanner.next() { items.append(item) }
        }
        return items
    }

    private func event(_ data: String, type: String = "message", id: String = "") -> EventStreamScanner.Item {
        .event(type: type, data: ByteBuffer(string: data), id: id)
    }

    @Test func `an event is dispatched at its empty line, with the last id of the stream`() throws {
        #expect(
            try items("retry: 3000\n\nid: 7.abcdef\ndata: {\"seq\":7}\n\ndata: x\n\n") == [
                .retry(3000), event(#"{"seq":7}"#, id: "7.abcdef"), event("x", id: "7.abcdef"),
            ])
    }

    @Test func `bytes may come one by one`() throws {
        var scanner = EventStreamScanner()
        var items: [EventStreamScanner.Item] = []
        for byte in "event: close\r\ndata: {\"code\": 4403}\r\n\r\n".utf8 {
            scanner.append(ByteBuffer(bytes: [byte]))
            while let item = try scanner.next() { items.append(item) }
        }
        #expect(items == [event(#"{"code": 4403}"#, type: "close")])
    }

    @Test func `comments, unknown fields and an event without data are nothing`() throws {
        #expect(try items(":\n\n", ": alive\n", "other: 1\n\n", "event: x\n\n", "retry: soon\n\n").isEmpty)
    }

    @Test func `lines of data are joined, and a space after the colon is no part of it`() throws {
        #expect(try items("data:a\ndata:  b\ndata\n\n") == [event("a\n b\n")])
    }

    @Test func `an empty id takes the last one back, one with a NUL is ignored`() throws {
        #expect(
            try items("id: 1.a\ndata: x\n\nid: 2\u{0}\ndata: y\n\nid:\ndata: z\n\n") == [
                event("x", id: "1.a"), event("y", id: "1.a"), event("z"),
            ])
    }

    @Test func `the head of a stream is taken in pieces, and what follows it is left`() throws {
        var head = HTTPStreamHead()
        var first = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        #expect(try head.take(&first) == false)
        var second = ByteBuffer(string: "\r\nretry: 3000\n")
        #expect(try head.take(&second))
        #expect(head.status == 200)
        #expect(String(buffer: second) == "retry: 3000\n")
    }

    @Test(arguments: ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
    func `what is no head of a stream is an error`(text: String) {
        var head = HTTPStreamHead()
        var bytes = ByteBuffer(string: text)
        #expect(throws: HTTPResponseScanner.Malformed.self) { try head.take(&bytes) }
    }
}
