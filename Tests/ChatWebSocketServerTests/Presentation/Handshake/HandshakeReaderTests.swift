import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import ChatWebSocketServer
@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct HandshakeReaderTests {
    private static let good =
        "GET /ws/chat?roomId=r HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection:  Upgrade \r\n"
        + "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nEmpty:\r\n\r\n"

    /// Reads a text in chunks of a length; returns the finding after the last one.
    private func read(_ text: String, chunk: Int = .max) -> HandshakeReader.Finding {
        var reader = HandshakeReader()
        var bytes = ByteBuffer(string: text)
        while let slice = bytes.readSlice(length: min(chunk, bytes.readableBytes)), slice.readableBytes > 0 {
            let finding = reader.append(slice)
            guard case .incomplete = finding else { return finding }
        }
        return .incomplete
    }

    private func head(_ text: String, chunk: Int = .max) -> RequestHead? {
        if case .head(let head) = read(text, chunk: chunk) { head } else { nil }
    }

    private func isOther(_ text: String, chunk: Int = .max) -> Bool {
        if case .other = read(text, chunk: chunk) { true } else { false }
    }

    private func isIncomplete(_ text: String) -> Bool {
        if case .incomplete = read(text, chunk: 1) { true } else { false }
    }

    @Test(arguments: [1, 2, 3, 7, 64, .max])
    func `a head may come in pieces of any length`(chunk: Int) throws {
        let head = try #require(self.head(Self.good, chunk: chunk))
        #expect(head.target == "/ws/chat?roomId=r")
        #expect(head["host"] == "localhost")
        #expect(head["connection"] == "Upgrade")
        #expect(head["x-forwarded-for"] == "10.0.0.1,10.0.0.2")
        #expect(head.values("x-forwarded-for") == ["10.0.0.1", "10.0.0.2"])
        #expect(head["empty"]?.isEmpty == true)
        #expect(head["origin"] == nil)
    }

    @Test func `no beginning of a head is classified`() {
        for length in 0..<Self.good.utf8.count {
            #expect(isIncomplete(String(decoding: Self.good.utf8.prefix(length), as: UTF8.self)), "\(length)")
        }
    }

    @Test func `bytes after the head are left`() {
        guard case .head(let head) = read(Self.good + "frames\r\n\r\n") else {
            Issue.record("no head")
            return
        }
        #expect(head.length == Self.good.utf8.count)
    }

    @Test(arguments: [
        "POST / HTTP/1.1\r\n\r\n", "hello", "get / HTTP/1.1\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GETS",
        "\u{16}\u{3}\u{1}",
        "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET / x HTTP/1.1\r\n\r\n", "GET /\u{7f} HTTP/1.1\r\n\r\n", "GET /ä HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\n\r\n", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET / HTTP/1.1\r\nA b\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n", "GET / HTTP/1.1\r\nA: \u{7f}\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func `anything else is left to HTTP`(text: String) {
        for chunk in [1, .max] { #expect(isOther(text, chunk: chunk)) }
    }

    @Test func `a head is at most 16 KiB long and has at most 100 fields`() {
        func head(valueLength: Int) -> String {
            "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "x", count: valueLength))\r\n\r\n"
        }
        let rest = head(valueLength: 0).utf8.count
        #expect(self.head(head(valueLength: RequestBounds.maximumHeadBytes - rest)) != nil)
        #expect(isOther(head(valueLength: RequestBounds.maximumHeadBytes - rest + 1)))
        #expect(isOther(String(head(valueLength: 20_000).dropLast(4)), chunk: 1_000))
        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: x\r\n" + (1..<count).map { "A\($0): b\r\n" }.joined() + "\r\n"
        }
        #expect(self.head(fields(100)) != nil)
        #expect(isOther(fields(101)))
    }

    /// Heads made of parts that are right, wrong or odd, from a fixed seed.
    @Test func `a head is read as NIO's decoder reads it`() throws {
        var numbers = SeededGenerator(seed: 20_261_124)
        let targets = ["/", "/ws/chat?roomId=r&a=%20", "*", "http://h/ws/chat", "/a b", "/\u{1}", "/x#y", "//"]
        let names = ["Host", "UPGRADE", "x-a", "a_b", "A!", "a b", "", "Cookie", "x\t"]
        let values = ["", " a", "a ", "\t a b \t", "a,b", "ä", "\u{1}", "a:b", " ", "\"q\""]
        let ends = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\n ", "\r"]
        var agreed = 0
        for _ in 0..<20_000 {
            let target = numbers.pick(targets)
            var text = "GET \(target) HTTP/1.1\r\nHost: x\r\n"
            for _ in 0..<Int.random(in: 0...4, using: &numbers) {
                text += "\(numbers.pick(names)):\(numbers.pick(values))\(numbers.pick(ends))"
            }
            guard let head = self.head(text + "\r\n") else { continue }
            let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
            defer { _ = try? channel.finish() }
            try channel.writeInbound(ByteBuffer(string: text + "\r\n"))
            guard case .head(let other)? = try channel.readInbound(as: HTTPServerRequestPart.self) else {
                Issue.record("NIO reads no head: \(text.debugDescription)")
                return
            }
            func read(_ range: Range<Int>) -> String { String(decoding: head.bytes[range], as: UTF8.self) }
            #expect(other.method == .GET)
            #expect(other.uri == target && other.uri.hasSuffix(head.target))
            #expect(other.headers.map { $0.name.lowercased() } == head.fields.map { read($0.name).lowercased() })
            // NIO keeps the blanks after a value, which do not belong to it (RFC 9112 section 5).
            let values = other.headers.map { String($0.value.reversed().drop { $0 == " " || $0 == "\t" }.reversed()) }
            #expect(values == head.fields.map { read($0.value) })
            agreed += 1
        }
        #expect(agreed > 1_000)
    }
}

extension SeededGenerator {
    fileprivate mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &self)]
    }
}
