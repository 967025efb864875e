import NIOCore
import Testing

@testable import CommonServer

@Suite struct RequestHeadTests {
    private static let good =
        "POST /things HTTP/1.1\r\nHost: x\r\nCONTENT-type:  application/json \r\nContent-Length: 12\r\nEmpty:\r\n\r\n"

    /// - Returns: what came of the last byte, each chunk being so long.
    private func find(_ text: String, chunk: Int = .max) -> RequestHeadReader.Finding {
        var reader = RequestHeadReader()
        var (bytes, rest) = (ByteBuffer(), ByteBuffer(string: text))
        while var slice = rest.readSlice(length: min(chunk, rest.readableBytes)), slice.readableBytes > 0 {
            bytes.writeBuffer(&slice)
            let finding = reader.find(in: bytes)
            guard case .incomplete = finding else { return finding }
        }
        return .incomplete
    }

    @Test(arguments: [1, 2, 3, 7, 64, .max]) func aHeadMayComeInPiecesOfAnyLength(chunk: Int) throws {
        guard case .head(let head) = find(Self.good, chunk: chunk) else {
            Issue.record("no head")
            return
        }
        #expect(head.length == Self.good.utf8.count)
        #expect(head.contentLength == 12)
        #expect(head.isMethod("POST") && !head.isMethod("PUT"))
        #expect(head.isTarget("/things") && !head.isTarget("/thing") && !head.isTarget("/things/"))
        #expect(head["content-type"] == "application/json")
        #expect(head["empty"]?.isEmpty == true)
        #expect(head.has("host") && !head.has("origin"))
        #expect(head["origin"] == nil)
    }

    @Test func noBeginningOfAHeadIsTakenForOneNorForAnythingElse() {
        for length in 0..<Self.good.utf8.count {
            let beginning = String(decoding: Self.good.utf8.prefix(length), as: UTF8.self)
            if case .incomplete = find(beginning, chunk: 1) { continue }
            Issue.record("\(beginning.debugDescription)")
        }
    }

    @Test(arguments: [
        "hello\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET /\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n",
        "GET / x HTTP/1.1\r\n\r\n", "GET /\u{7f} HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET / HTTP/1.1\r\nA b\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n",
    ])
    func allElseIsLeftToTheDecoder(text: String) {
        for chunk in [1, .max] {
            if case .other = find(text, chunk: chunk) { continue }
            Issue.record("\(text.debugDescription)")
        }
    }

    @Test func aHeadIsAtMost16KiBLongAndHasAtMost100Fields() {
        func isHead(_ text: String) -> Bool { if case .head = find(text) { true } else { false } }
        func head(valueLength: Int) -> String {
            "GET / HTTP/1.1\r\nA: \(String(repeating: "x", count: valueLength))\r\n\r\n"
        }
        let rest = head(valueLength: 0).utf8.count
        #expect(isHead(head(valueLength: ChatHTTPChannel.maximumHeaderBytes - rest)))
        #expect(!isHead(head(valueLength: ChatHTTPChannel.maximumHeaderBytes - rest + 1)))
        if case .incomplete = find(String(head(valueLength: 20_000).dropLast(4)), chunk: 1_000) {
            Issue.record("a head without an end is waited for")
        }
        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\r\n" + (0..<count).map { "A\($0): b\r\n" }.joined() + "\r\n"
        }
        #expect(isHead(fields(100)) && !isHead(fields(101)))
    }
}
