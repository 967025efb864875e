import ChatTestSupport
import CommonServer
import CommonUtil
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer
@testable import CommonServer

/// Connections whose write fails: NIO then reads what is left of them and closes them before the write returns. Each handler
/// must accept both calls in the middle of its own.
@Suite(.timeLimit(.minutes(2))) struct FailingSocketTests {
    /// Frames that are answered, each of its own kind, and some that end a session.
    static let unread: [[UInt8]] = [
        ping("left"), text(#"{"type":"ping"}"#), text("nonsense"), ping() + ping() + ping(), text("a", isFinal: false),
        ClientFrameBytes(payload: [0x61], mask: nil).bytes, close(1000), [],
    ]

    private func transport(_ unread: [UInt8], failsAtFlush: Int) -> FailingTransport<ByteBuffer> {
        FailingTransport(failsAtFlush: failsAtFlush, unread: [ByteBuffer(bytes: unread)])
    }

    @Test(arguments: unread)
    func `a session that fails while an event is delivered to it ends, and no other does`(unread: [UInt8]) throws {
        let fixture = try SocketFixture()
        let failing = try fixture.channel()
        // Its answer to the handshake is the first flush.
        let transport = transport(unread, failsAtFlush: 2)
        try failing.pipeline.syncOperations.addHandlers([transport, try fixture.handler()])
        let healthy = try fixture.channel()
        try healthy.pipeline.syncOperations.addHandler(try fixture.handler())
        #expect(fixture.shard.sessionCount == 2)

        fixture.dispatch(event(1))
        #expect(transport.hasFailed)
        #expect(!failing.isActive)
        #expect(fixture.shard.sessionCount == 1)
        #expect(try fixture.sessions("live") == 1)

        fixture.dispatch(event(2))
        _ = try healthy.readOutbound(as: ByteBuffer.self)
        #expect(try [healthy, healthy].map { try $0.readOutbound() } == [event(1).frame, event(2).frame])
        healthy.close(promise: nil)
        #expect(fixture.shard.sessionCount == 0)
        #expect(try fixture.sessions("live") == 0)
        fixture.finish()
    }

    @Test(arguments: unread)
    func `a session of a user that fails at the end of a turn ends, and no other does`(unread: [UInt8]) throws {
        let fixture = try SocketFixture()
        let failing = try fixture.channel()
        // The answer to the handshake, the turn.
        let transport = transport(unread, failsAtFlush: 2)
        try failing.pipeline.syncOperations.addHandlers([transport, try fixture.userHandler()])
        let healthy = try fixture.channel()
        try healthy.pipeline.syncOperations.addHandler(try fixture.userHandler())
        for session in fixture.shard.sessions(ofUser: UserID(7)) {
            let cursor = SessionCursor(admissionHead: 0, lastSeq: nil)
            fixture.shard.subscribe(session, to: hall, cursor, readSeq: 0)
            fixture.shard.advance(session)
        }
        for seq in [1, 2] as [Seq] { fixture.dispatch(event(seq)) }
        #expect(!transport.hasFailed)
        fixture.eventLoop.run()
        #expect(transport.hasFailed && !failing.isActive)
        #expect(fixture.shard.sessionCount == 1)
        _ = try healthy.readOutbound(as: ByteBuffer.self)
        #expect(try [healthy, healthy].map { try $0.readOutbound() } == [event(1).frame, event(2).frame])
        healthy.close(promise: nil)
        #expect(fixture.shard.sessionCount == 0)
        fixture.finish()
    }

    @Test(arguments: unread)
    func `a session that fails while it is answered ends`(unread: [UInt8]) throws {
        let fixture = try SocketFixture()
        let channel = try fixture.channel()
        let transport = transport(unread, failsAtFlush: 2)
        try channel.pipeline.syncOperations.addHandlers([transport, try fixture.handler()])
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: ping("first") + ping("second")))
        #expect(transport.hasFailed)
        #expect(fixture.shard.sessionCount == 0)
        #expect(try fixture.sessions("live") == 0)
        fixture.finish()
    }

    @Test(arguments: unread)
    func `a session that fails while it is closed ends`(unread: [UInt8]) throws {
        let fixture = try SocketFixture()
        let channel = try fixture.channel()
        let transport = transport(unread, failsAtFlush: 2)
        try channel.pipeline.syncOperations.addHandlers([transport, try fixture.handler()])
        for session in fixture.shard.sessions(inRoom: hall) {
            session.transport.close(CloseReason(.restart, "this server restarts"))
        }
        #expect(transport.hasFailed)
        #expect(fixture.shard.sessionCount == 0)
        fixture.finish()
    }

    @Test(arguments: unread, [nil, 0] as [Seq?])
    func `a session that fails while it begins ends, live or catching up`(unread: [UInt8], lastSeq: Seq?) throws {
        let fixture = try SocketFixture()
        let channel = try fixture.channel()
        let transport = transport(unread, failsAtFlush: 1)
        try channel.pipeline.syncOperations.addHandlers([transport, try fixture.handler(lastSeq: lastSeq)])
        #expect(transport.hasFailed)
        #expect(fixture.shard.sessionCount == 0)
        #expect(try fixture.sessions("live") ?? 0 == 0)
        #expect(try fixture.sessions("catching_up") ?? 0 == 0)
        fixture.finish()
    }

    /// Bytes that arrived before the response stay in front of those that its failing write reads.
    @Test(arguments: unread)
    func `a connection that fails while its handshake is answered ends`(unread: [UInt8]) throws {
        let fixture = try SocketFixture()
        let channel = try fixture.channel()
        let transport = transport(unread, failsAtFlush: 1)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let http = HTTPConnections(
            http: ChatHTTPChannel(responder: { _, _, _ in }, directRoutes: nil, headTimeout: .seconds(10)),
            logger: logger)
        try channel.pipeline.syncOperations.addHandlers([
            transport,
            HandshakeHandler(
                policy: EchoUpgradePolicy(), deadlines: HandshakeDeadlines(eventLoops: [fixture.eventLoop]), http: http,
                logger: logger),
        ])
        let handshake =
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: Array(handshake.utf8) + text("early")))
        #expect(transport.hasFailed)
        #expect(!channel.isActive)
        fixture.finish()
    }

    @Test(arguments: unread)
    func `an echo that fails ends`(unread: [UInt8]) throws {
        let fixture = try SocketFixture()
        let channel = try fixture.channel()
        let transport = transport(unread, failsAtFlush: 2)
        try channel.pipeline.syncOperations.addHandlers([transport, EchoHandler(opening: ByteBuffer(string: "101"))])
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: text("a") + ping() + text("b")))
        #expect(transport.hasFailed)
        #expect(!channel.isActive)
        fixture.finish()
    }

    // MARK: Peers that do not read

    @Test func `frames of a peer that does not read wait, and are answered in order once it does`() throws {
        let fixture = try SocketFixture()
        let channel = try fixture.channel()
        try channel.pipeline.syncOperations.addHandler(try fixture.handler())
        _ = try channel.readOutbound(as: ByteBuffer.self)
        func turn(writable: Bool) {
            channel.isWritable = writable
            channel.pipeline.fireChannelWritabilityChanged()
        }
        turn(writable: false)
        #expect(channel.isAutoReading == false)
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: ping("1") + ping("2")))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        turn(writable: true)
        #expect(channel.isAutoReading == true)
        #expect(
            try [channel, channel, channel].map { try $0.readOutbound(as: ByteBuffer.self) } == [
                WebSocketFrame.pong(ByteBuffer(string: "1")), WebSocketFrame.pong(ByteBuffer(string: "2")), nil,
            ])
        channel.close(promise: nil)
        fixture.finish()
    }

    @Test(arguments: [
        ClientFrameBytes(opcode: 0xA).bytes, continuation([], isFinal: false), continuation([0x61], isFinal: false),
        ping(),
    ])
    func `every frame counts against the limit`(frame: [UInt8]) throws {
        // The burst is five frames.
        let fixture = try SocketFixture(frameLimit: Rate(1, per: .minute))
        let channel = try fixture.channel()
        try channel.pipeline.syncOperations.addHandler(try fixture.handler())
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: text("", isFinal: false)))
        for _ in 1...4 { channel.pipeline.fireChannelRead(ByteBuffer(bytes: frame)) }
        #expect(fixture.shard.sessionCount == 1)
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: frame))
        #expect(fixture.shard.sessionCount == 0)
        var last: ByteBuffer?
        while let next = try channel.readOutbound(as: ByteBuffer.self) { last = next }
        #expect(last == WebSocketFrame.close(.tooMany, reason: "too many frames"))
        channel.close(promise: nil)
        fixture.finish()
    }
}

extension EmbeddedChannel {
    /// The last value of the option; `nil` if it was never set.
    fileprivate var isAutoReading: Bool? {
        options.last { $0.0 is ChannelOptions.Types.AutoReadOption }?.1 as? Bool
    }
}
