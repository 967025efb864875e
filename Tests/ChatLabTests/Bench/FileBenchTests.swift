import NIOCore
import NIOPosix
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct TransferAnswerTests {
    private static let text =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"

    @Test func `an answer is complete with its last byte, whatever the pieces`() {
        let bytes = Array(Self.text.utf8)
        for cut in 0...bytes.count {
            var answer = TransferAnswer()
            answer.append(ByteBuffer(bytes: bytes[..<cut]))
            #expect((answer.completeStatus == 201) == (cut == bytes.count), "cut at \(cut)")
            answer.append(ByteBuffer(bytes: bytes[cut...]))
            #expect(answer.completeStatus == 201)
            #expect(answer.text == "hello")
            #expect(answer.size == 5)
        }
    }

    @Test func `of a long body only the beginning is kept`() {
        var answer = TransferAnswer()
        answer.append(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"))
        for _ in 0..<10 { answer.append(ByteBuffer(repeating: 0x61, count: 100_000)) }
        #expect(answer.completeStatus == 200)
        #expect(answer.size == 1_000_000)
        #expect(answer.text.utf8.count == 4_096)
    }

    @Test func `a head without an end is no answer`() {
        var answer = TransferAnswer()
        answer.append(ByteBuffer(repeating: 0x61, count: 100_000))
        #expect(answer.completeStatus == 0)
    }
}

@Suite(.timeLimit(.minutes(1))) struct FileTransferTests {
    /// Counts what it is sent, and answers once a body of this size is there.
    private final class Counter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private var left: Int
        init(_ size: Int) { left = size }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            left -= unwrapInboundIn(data).readableBytes
            guard left == 0 else { return }
            let answer = ByteBuffer(string: "HTTP/1.1 201 -\r\nContent-Length: 2\r\n\r\nok")
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
    }

    private func withServer(expecting size: Int, _ body: (Int) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Counter(size)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        try await body(port)
        try await server.close()
    }

    @Test func `a body of any size is sent whole, and its answer is read`() async throws {
        let head = ByteBuffer(string: "PUT / HTTP/1.1\r\n\r\n")
        let size = 20 << 20
        try await withServer(expecting: size + head.readableBytes) { port in
            let answer = try await FileTransfer.run(port: port, head: head, bodySize: size)
            #expect(answer.status == 201)
            #expect(answer.text == "ok")
            #expect(answer.seconds > 0)
        }
    }

    @Test func `where nobody listens there is an error`() async throws {
        var gone = 0
        try await withServer(expecting: 1) { gone = $0 }
        let port = gone
        await #expect(throws: (any Error).self) { try await FileTransfer.run(port: port, head: ByteBuffer()) }
    }
}

@Suite(.timeLimit(.minutes(1))) struct NginxTests {
    @Test func `everything that nginx writes is in its folder`() {
        let text = Nginx.configuration(port: 8, folder: "/f", root: "/f/www", user: nil)
        #expect(text.contains("listen 127.0.0.1:8;"))
        #expect(!text.contains("user "))
        #expect(text.matches(of: /_temp_path \/f\//).count == 5)
        #expect(text.contains("pid /f/nginx.pid;"))
        #expect(Nginx.configuration(port: 8, folder: "/f", root: "/f/www", user: "root").hasPrefix("user root;\n"))
    }
}
