import CommonUtil
import NIOCore
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct RequestHeadTests {
    private static let good =
        "POST /things HTTP/1.1\r\nHost: x\r\nCONTENT-type:  application/json \r\nContent-Length: 12\r\nEmpty:\r\n\r\n"

    /// - Returns: what came of the last byte, each chunk being so long.
    private func find(_ text: String, chunk: Int = .max) -> RequestHeadReader.Finding {
        var reader = RequestHeadReader()
        var (bytes, rest) = (ByteBuffer(), ByteBuffer(string: text))
        while var slice = rest.readSlice(length: min(chunk, rest.readableBytes)), slice.readableBytes > 0 {
            bytes.writeBuffer(&slice)
            let finding = reader.find(in: &bytes)
            guard case .incomplete = finding else { return finding }
        }
        return .incomplete
    }

    @Test(arguments: [1, 2, 3, 7, 64, .max]) func `a head can arrive in pieces of any length`(chunk: Int) throws {
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

    @Test func `an incomplete head is incomplete and nothing else`() {
        for length in 0..<Self.good.utf8.count {
            let beginning = String(decoding: Self.good.utf8.prefix(length), as: UTF8.self)
            if case .incomplete = find(beginning, chunk: 1) { continue }
            Issue.record("\(beginning.debugDescription)")
        }
    }

    /// What is refused is in ``HTTPCases``. Here: it makes no difference in how many pieces it comes.
    @Test(arguments: [
        ("hello\r\n\r\n", ErrorCode.malformedRequest), ("GET /\r\n\r\n", .malformedRequest),
        ("GET / HTTP/1.1\n\n", .malformedRequest), ("GET / HTTP/1.1\r\n\r\n", .malformedRequest),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n", .malformedRequest),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", .httpVersionNotSupported),
        ("CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", .notImplemented),
        ("CONNECT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n", .notImplemented),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .notImplemented),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\n", .malformedRequest),
    ])
    func `text that is no request is refused`(text: String, code: ErrorCode) {
        for chunk in [1, 2, 7, .max] {
            if case .refused(let error) = find(text, chunk: chunk) {
                #expect(error.code == code)
            } else {
                Issue.record("\(text.debugDescription) is not refused")
            }
        }
    }

    @Test func `a head has the framing of its body`() throws {
        func head(_ fields: String, version: String = "1.1") throws -> RequestHead {
            try RequestHead(Array("POST /a?b HTTP/\(version)\r\nHost: x\r\n\(fields)\r\n".utf8))
        }
        #expect(try head("").framing == .length(0) && head("").hasNoBody)
        #expect(try head("Content-Length: 5\r\n").framing == .length(5))
        #expect(try head("Transfer-Encoding: CHUNKED\r\n").framing == .chunked)
        #expect(try !head("").closes && head("Connection: te, Close\r\n").closes && head("", version: "1.0").closes)
        #expect(try head("Content-Length: 5\r\nExpect: 100-Continue\r\n").expectsContinue)
        #expect(try !head("Expect: 100-continue\r\n").expectsContinue)
    }

    @Test(arguments: [
        ("/a?b", "/a?b"), ("http://x/a?b", "/a?b"), ("HTTPS://x:1/a", "/a"), ("http://x", "/"), ("http://x?b", "/?b"),
    ])
    func `a target is a path and a query`(target: String, path: String) throws {
        let head = try RequestHead(Array("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        #expect(head.target == path)
    }

    @Test func `a head has at most 16 KiB and 100 fields`() {
        func isHead(_ text: String) -> Bool { if case .head = find(text) { true } else { false } }
        func head(valueLength: Int) -> String {
            "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "x", count: valueLength))\r\n\r\n"
        }
        let rest = head(valueLength: 0).utf8.count
        #expect(isHead(head(valueLength: RequestBounds.maximumHeadBytes - rest)))
        #expect(!isHead(head(valueLength: RequestBounds.maximumHeadBytes - rest + 1)))
        if case .incomplete = find(String(head(valueLength: 20_000).dropLast(4)), chunk: 1_000) {
            Issue.record("a head without an end is waited for")
        }
        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: x\r\n" + (1..<count).map { "A\($0): b\r\n" }.joined() + "\r\n"
        }
        #expect(isHead(fields(100)) && !isHead(fields(101)))
    }
}
