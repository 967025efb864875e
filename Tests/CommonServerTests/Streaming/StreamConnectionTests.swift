import CommonUtil
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import CommonServer

/// Streams on one connection.
@Suite(.timeLimit(.minutes(2))) struct StreamConnectionTests: ConnectionTest {
    static let stream = "GET /stream?a=b HTTP/1.1\r\nHost: x\r\n\r\n"

    let channel = EmbeddedChannel()
    let socket = ConnectionFixture.Socket()
    let recorder = StreamRecorder()

    init() throws {
        try channel.pipeline.syncOperations.addHandlers([
            socket,
            ConnectionFixture.handler(
                ConnectionFixture.directRoutes(), streams: recorder.routes(on: channel.eventLoop)),
        ])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    private func begin() throws -> TestStream {
        recorder.decision = recorder.begin
        send(Self.stream)
        return try #require(recorder.streams.last)
    }

    // MARK: Beginning

    @Test func `a stream has the head of its kind, and its body ends with the connection`() throws {
        let stream = try begin()
        stream.send("more\n")
        let text = try written()
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\nopening\nmore\n"))
        let head = text.lowercased()
        for field in [
            "content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no", "connection: close",
            "x-content-type-options: nosniff", "x-request-id: ", "date: ",
        ] {
            #expect(head.contains("\r\n\(field)"), "\(field)")
        }
        #expect(!head.contains("content-length") && !head.contains("transfer-encoding"))
    }

    @Test func `a stream can be a later request of a connection, and the last`() throws {
        recorder.decision = recorder.begin
        send(Self.post + Self.stream + Self.post + Self.get)
        #expect(try statuses() == [201, 200])
        send(Self.get)
        #expect(try parts().isEmpty && statuses().isEmpty)
        #expect(recorder.streams.count == 1)
    }

    @Test func `a refusal is a problem, and the connection goes on`() throws {
        recorder.decision = .refuse(ChatError(.rateLimited, retryAfterSeconds: 7))
        send(Self.stream + Self.post + Self.stream + Self.get)
        respond()
        let text = try written()
        #expect(text.matches(of: #/HTTP/1\.1 (\d+) /#).map(\.1) == ["429", "201", "429", "200"])
        #expect(text.lowercased().contains("retry-after: 7"))
        #expect(text.contains(#""code":"rate_limited""#) && !text.lowercased().contains("connection: close"))
    }

    @Test(arguments: ["Connection: close\r\n", "X-A: b\r\n"])
    func `a decision can come later, and what follows waits in the kernel`(field: String) throws {
        send("GET /stream HTTP/1.1\r\nHost: x\r\n\(field)\r\n" + Self.post)
        let before = socket.reads
        channel.pipeline.read()
        #expect(try socket.reads == before && written().isEmpty)
        advance(1_000)
        #expect(channel.isActive)
        recorder.decideNow(.refuse(ChatError(.notAMember)))
        channel.embeddedEventLoop.run()
        #expect(try statuses() == (field.hasPrefix("Connection") ? [403] : [403, 201]))
        advance(2)
        #expect(channel.isActive == !field.hasPrefix("Connection"))
    }

    @Test func `HEAD gets the head of the response, and the connection goes on`() throws {
        let head = Self.stream.replacing("GET", with: "HEAD")
        recorder.decision = recorder.begin
        send(head)
        let text = try written()
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\n"))
        #expect(text.lowercased().contains("text/event-stream") && !text.lowercased().contains("connection: close"))
        recorder.decision = .refuse(ChatError(.notFound))
        send(head + Self.post)
        #expect(try statuses() == [404, 201])
        #expect(recorder.streams.isEmpty)
    }

    @Test(arguments: ["POST /stream", "GET /stream/", "GET /streams", "GET //stream", "GET /%73tream"])
    func `other methods and paths are the router's`(line: String) throws {
        send("\(line) HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try parts().count == 2)
    }

    @Test func `a request with a body is the router's`() throws {
        send("GET /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        #expect(try parts().count == 3)
    }

    @Test func `before the start of the server a stream is refused`() throws {
        let channel = EmbeddedChannel(
            handler: ConnectionFixture.handler(
                nil, streams: recorder.routes(on: EmbeddedEventLoop(), isServing: false)))
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        channel.pipeline.fireChannelRead(ByteBuffer(string: Self.stream))
        let response = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: response).hasPrefix("HTTP/1.1 503 "))
    }

    // MARK: While it lasts

    @Test func `a stream has no deadline`() throws {
        let stream = try begin()
        advance(10_000)
        #expect(channel.isActive && stream.closes == 0)
    }

    @Test func `what a client sends behind its request is read once, then left in the kernel`() throws {
        let stream = try begin()
        let before = socket.reads
        channel.pipeline.read()
        #expect(socket.reads == before + 1)
        send("more")
        channel.pipeline.read()
        #expect(socket.reads == before + 1)
        stream.send("still\n")
        #expect(try written().hasSuffix("still\n"))
    }

    @Test func `a stream learns of the channel's writability`() throws {
        let stream = try begin()
        setWritable(false)
        setWritable(true)
        #expect(stream.writabilityChanges > 0)
    }

    // MARK: The end

    @Test func `a stream that ends has its last bytes sent, then the output closed`() throws {
        let stream = try begin()
        _ = try written()
        stream.send("last\n")
        stream.end()
        #expect(try written() == "last\n")
        #expect(socket.isOutputClosed && channel.isActive)
        send("late")
        advance(2)
        #expect(!channel.isActive && stream.closes == 1)
    }

    @Test func `a stream that ends is closed as soon as its client closes`() throws {
        let stream = try begin()
        stream.end()
        sendNoMore()
        #expect(!channel.isActive && stream.closes == 1)
    }

    @Test func `a stream ends where its client ends its output`() throws {
        let stream = try begin()
        sendNoMore()
        #expect(!channel.isActive && stream.closes == 1)
    }

    @Test func `an aborted stream ends at once`() throws {
        let stream = try begin()
        stream.abort()
        #expect(!channel.isActive && stream.closes == 1)
    }

    @Test(arguments: [true, false]) func `a decision for a connection that has ended is dropped`(begins: Bool) throws {
        send(Self.stream)
        if begins { sendNoMore() } else { channel.close(promise: nil) }
        recorder.decideNow(recorder.begin)
        channel.embeddedEventLoop.run()
        #expect(try recorder.streams.isEmpty && written().isEmpty && !channel.isActive)
        advance(10)
    }

    // MARK: Stopping

    @Test func `the stop of the server leaves a stream to its owner`() throws {
        let stream = try begin()
        stop()
        advance(1_000)
        #expect(channel.isActive)
        stream.send("goodbye\n")
        stream.end()
        #expect(try written().hasSuffix("goodbye\n"))
        sendNoMore()
        #expect(!channel.isActive)
    }

    @Test func `a refusal while the server stops is the last response`() throws {
        send(Self.stream)
        stop()
        recorder.decideNow(.refuse(.unavailable("This server is stopping")))
        channel.embeddedEventLoop.run()
        #expect(try written().lowercased().contains("connection: close"))
        #expect(!channel.isActive)
    }
}
