import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct WebSocketConnectionTests {
    private let channel = EmbeddedChannel()
    private let application = TestApplication()
    private let restart = CloseReason(.restart, "this server restarts")

    init() throws {
        try channel.pipeline.syncOperations.addHandler(application)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func receive(_ bytes: [UInt8]) { channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes)) }

    private func sent() throws -> [ByteBuffer] {
        var frames: [ByteBuffer] = []
        while let frame = try channel.readOutbound(as: ByteBuffer.self) { frames.append(frame) }
        return frames
    }

    @Test func `frames of one read reach the application in order`() {
        receive(text("a") + ping("b") + text("c"))
        #expect(
            application.messages == [
                .text(ByteBuffer(string: "a")), .ping(ByteBuffer(string: "b")), .text(ByteBuffer(string: "c")),
            ])
    }

    @Test func `written frames are sent with the flush, and sent ones at once`() throws {
        let connection = try #require(application.connection)
        connection.write(ByteBuffer(string: "1"))
        connection.write(ByteBuffer(string: "2"))
        #expect(try sent() == [])
        connection.flush()
        #expect(try sent() == [ByteBuffer(string: "1"), ByteBuffer(string: "2")])
        connection.send(ByteBuffer(string: "3"))
        #expect(try sent() == [ByteBuffer(string: "3")])
        #expect(connection.bytesWritten == 3)
    }

    @Test func `a close sends its frame and waits five seconds for the peer's`() throws {
        application.connection?.close(restart)
        #expect(application.ends == [.restart])
        #expect(try sent() == [WebSocketFrame.close(.restart, reason: restart.reason)])
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4_900))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(100))
        #expect(!channel.isActive)
        #expect(application.ends == [.restart])
    }

    @Test func `the peer's close frame ends the wait`() throws {
        application.connection?.close(restart)
        receive(text("late") + close(1012))
        #expect(!channel.isActive)
        #expect(application.messages.isEmpty)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    }

    @Test func `nothing is sent after a close frame`() throws {
        let connection = try #require(application.connection)
        connection.close(restart)
        connection.close(CloseReason(.normal, "again"))
        connection.send(ByteBuffer(string: "x"))
        connection.write(ByteBuffer(string: "y"))
        connection.flush()
        #expect(try sent().count == 1)
        #expect(!connection.isWritable)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    }

    @Test func `a peer that was closed for what it did is read twenty times a second, until the timeout`() throws {
        let reads = ReadCounter()
        try channel.pipeline.syncOperations.addHandler(reads, position: .first)
        application.failure = CloseReason(.tooMany, "too many frames")
        receive(text("a"))
        let isReading = channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
        #expect(isReading == false)
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(channel.options.filter { $0.option is ChannelOptions.Types.AutoReadOption }.count == 1)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(reads.count == 20)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(!channel.isActive)
        #expect(reads.count <= 100)
    }

    @Test func `an application that throws closes the connection with its reason, and reads nothing more`() throws {
        application.failure = CloseReason(.tooMany, "too many frames")
        receive(text("a") + text("b"))
        #expect(application.messages == [.text(ByteBuffer(string: "a"))])
        #expect(try sent() == [WebSocketFrame.close(.tooMany, reason: "too many frames")])
        #expect(application.ends == [.tooMany])
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    }

    @Test func `a connection that closes without a close frame ends once, as abnormal`() throws {
        try channel.close().wait()
        #expect(application.ends == [.abnormal])
        application.connection?.close(restart)
        application.connection?.gone()
        #expect(application.ends == [.abnormal])
    }
}

/// Records what reaches it.
private final class TestApplication: ChannelInboundHandler, WebSocketApplication {
    typealias InboundIn = ByteBuffer

    private(set) var connection: WebSocketConnection?
    private(set) var messages: [WebSocketFrameParser.Message] = []
    private(set) var ends: [CloseCode] = []
    /// Thrown by every message.
    var failure: CloseReason?

    func handlerAdded(context: ChannelHandlerContext) {
        connection = WebSocketConnection(context: context, application: self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection?.receive(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { connection?.gone() }

    func received(_ message: WebSocketFrameParser.Message) throws(CloseReason) {
        messages.append(message)
        if let failure { throw failure }
    }

    func ended(_ code: CloseCode) { ends.append(code) }
}

/// Counts how often the socket is asked for bytes, and lets its output be closed alone, for which an embedded channel closes
/// as a whole.
final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var count = 0

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        promise?.succeed()
    }

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}
