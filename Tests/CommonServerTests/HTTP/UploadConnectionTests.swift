import CommonUtil
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import CommonServer

/// How the body of an upload is read on one connection.
@Suite(.timeLimit(.minutes(1))) struct UploadConnectionTests: ConnectionTest {
    let channel = EmbeddedChannel()
    let socket = ConnectionFixture.Socket()

    init() throws { try open() }

    private static func head(_ length: Int, _ fields: String = "") -> String {
        "POST /upload?name=a HTTP/1.1\r\nHost: x\r\n\(fields)Content-Length: \(length)\r\n\r\n"
    }

    /// As the channel of the route does when it takes more.
    private func takeMore() { channel.pipeline.read() }

    @Test func `a client that asks before it sends gets 100 when the route reads`() throws {
        send(Self.head(1_000_000, "Expect: 100-continue\r\n"))
        #expect(try written() == "")
        try channel.triggerUserOutboundEvent(UploadAccepted()).wait()
        #expect(try written() == "HTTP/1.1 100 Continue\r\n\r\n")
        try channel.triggerUserOutboundEvent(UploadAccepted()).wait()
        #expect(try written() == "")
    }

    @Test func `a client that asks before it sends and is refused gets no 100`() throws {
        send(Self.head(1_000_000, "Expect: 100-continue\r\n"))
        respond(HTTPResponse(status: .contentTooLarge, headerFields: [.contentLength: "2"]))
        try channel.triggerUserOutboundEvent(UploadAccepted()).wait()
        let answer = try written()
        #expect(answer.hasPrefix("HTTP/1.1 413") && answer.contains("Connection: close"))
        #expect(!answer.contains("100 Continue"))
    }

    @Test func `a minute without a byte is 408, however long the whole takes`() throws {
        send(Self.head(1_000))
        for _ in 0..<10 {
            takeMore()
            advance(50)
            send("x")
        }
        #expect(try written() == "")
        takeMore()
        advance(59)
        #expect(try written() == "")
        advance(11)
        let answer = try written()
        #expect(answer.hasPrefix("HTTP/1.1 408") && answer.contains("request_timeout"))
        advance(2)
        #expect(!channel.isActive)
        #expect(throws: ChatError.incompleteRequest) { try channel.throwIfErrorCaught() }
    }

    @Test func `a page of another origin reads why its upload ended`() throws {
        send(Self.head(1_000, "Origin: https://example.org\r\n"))
        takeMore()
        advance(70)
        let late = try written()
        #expect(late.hasPrefix("HTTP/1.1 408") && late.contains("Access-Control-Allow-Origin: *\r\n"))
        #expect(late.contains("X-Content-Type-Options: nosniff\r\n"))
    }

    @Test func `a page of another origin reads that its body is broken`() throws {
        send(
            "POST /upload HTTP/1.1\r\nHost: x\r\nOrigin: https://example.org\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "zz\r\n")
        let broken = try written()
        #expect(broken.hasPrefix("HTTP/1.1 400") && broken.contains("Access-Control-Allow-Origin: *\r\n"), "\(broken)")
    }

    @Test func `without an origin there is no permission in the answer`() throws {
        send(Self.head(1_000))
        takeMore()
        advance(70)
        let answer = try written()
        #expect(answer.hasPrefix("HTTP/1.1 408") && !answer.contains("Access-Control-Allow-Origin"))
    }

    @Test func `while the route takes nothing the client has no deadline`() throws {
        send(Self.head(1_000))
        send("x")
        advance(600)
        #expect(try written() == "" && channel.isActive)
        takeMore()
        advance(70)
        #expect(try statuses() == [408])
    }

    @Test func `a response before the end of the body ends the connection`() throws {
        send(Self.head(1_000))
        respond()
        #expect(try written().contains("Connection: close"))
        send(String(repeating: "x", count: 1_000))
        #expect(socket.isOutputClosed)
        #expect(channel.isActive)
        advance(2)
        #expect(!channel.isActive)
    }

    @Test func `behind an early response no more than a mebibyte is read`() throws {
        send(Self.head(100_000_000))
        respond()
        let piece = String(repeating: "x", count: 256 * 1_024)
        for _ in 0..<4 { send(piece) }
        #expect(channel.isActive)
        send(piece)
        #expect(!channel.isActive)
    }

    /// The task of a request with `Connection: close` ends with its response, and asks for nothing more.
    @Test(arguments: ["", "Connection: close\r\n"])
    func `what comes behind an early response is read, whoever asks for it`(fields: String) throws {
        send(Self.head(100_000, fields))
        respond()
        #expect(socket.isOutputClosed)
        for _ in 0..<3 {
            let reads = socket.reads
            send(String(repeating: "x", count: 10_000))
            #expect(socket.reads > reads)
        }
        sendNoMore()
        #expect(!channel.isActive)
    }

    @Test func `after a whole body the connection goes on`() throws {
        send(Self.head(2) + "ok")
        respond()
        #expect(try !written().contains("close"))
        send(Self.post)
        #expect(try statuses() == [201])
    }

    @Test(arguments: ["Content-Length: 10\r\n\r\nshort", "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"])
    func `a body that is cut off is no whole body for its route`(rest: String) throws {
        send("POST /upload HTTP/1.1\r\nHost: x\r\n" + rest)
        channel.pipeline.fireChannelInactive()
        #expect(throws: ChatError.incompleteRequest) { try channel.throwIfErrorCaught() }
        let isEnded = try parts().contains { if case .end = $0 { true } else { false } }
        #expect(!isEnded)
    }
}
