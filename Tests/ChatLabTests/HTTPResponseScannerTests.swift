import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct HTTPResponseScannerTests {
    private static let sized = "HTTP/1.1 201 Created\r\ncontent-Length: 5\r\nX: y\r\n\r\nhello"
    private static let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"

    @Test(arguments: [sized, chunked])
    func `the scanner takes whole responses one after the other, whatever the pieces`(text: String) throws {
        let bytes = Array((text + Self.sized).utf8)
        for cut in 0..<text.utf8.count {
            var buffer = ByteBuffer(bytes: bytes[..<cut])
            #expect(try HTTPResponseScanner.next(in: &buffer) == nil, "cut at \(cut)")
            buffer.writeBytes(bytes[cut...])
            let first = try #require(try HTTPResponseScanner.next(in: &buffer))
            #expect(first.body == ByteBuffer(string: "hello"))
            #expect(try HTTPResponseScanner.next(in: &buffer)?.status == 201)
            #expect(buffer.readableBytes == 0)
        }
    }

    @Test func `the scanner reads how long a client is asked to wait`() throws {
        var buffer = ByteBuffer(string: "HTTP/1.1 503 X\r\nRETRY-After: 7\r\nContent-Length: 0\r\n\r\n")
        #expect(try HTTPResponseScanner.next(in: &buffer)?.retryAfter == 7)
        buffer = ByteBuffer(string: Self.sized)
        #expect(try HTTPResponseScanner.next(in: &buffer)?.retryAfter == nil)
    }

    @Test(arguments: [204, 101])
    func `a 204 and a 101 have no body`(status: Int) throws {
        var buffer = ByteBuffer(string: "HTTP/1.1 \(status) X\r\nUpgrade: websocket\r\n\r\nnext")
        #expect(try HTTPResponseScanner.next(in: &buffer) == HTTPResponse(status: status, body: ByteBuffer()))
        #expect(String(buffer: buffer) == "next")
    }

    @Test(arguments: [
        "SMTP ready and willing\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nno length",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ])
    func `the scanner refuses what is no response`(text: String) {
        #expect(throws: HTTPResponseScanner.Malformed.self) {
            var buffer = ByteBuffer(string: text)
            _ = try HTTPResponseScanner.next(in: &buffer)
        }
    }
}
