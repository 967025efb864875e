import ChatTestSupport
import CommonLogging
import CommonServer
import CommonUtil
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer
@testable import CommonServer

/// Event streams on an embedded event loop, those among them whose write fails: NIO then reads what is left of the connection
/// and closes it before the write returns.
@Suite(.timeLimit(.minutes(2))) struct FailingEventStreamTests {
    private let fixture: SocketFixture
    private let request = ByteBuffer(string: "GET /sse/chat HTTP/1.1\r\nHost: x\r\n\r\n")

    init() throws { fixture = try SocketFixture() }

    /// Opens a stream of an admitted session.
    private func open(
        lastSeq: Seq? = nil, failsAtFlush: Int = .max
    ) throws -> (channel: EmbeddedChannel, transport: FailingTransport<ByteBuffer>) {
        let channel = try fixture.channel()
        let transport = FailingTransport(failsAtFlush: failsAtFlush, unread: [request, ByteBuffer(string: "x\n\n")])
        let bound = NIOLoopBound(fixture, eventLoop: fixture.eventLoop)
        let streams = StreamRoutes(
            routes: [
                .init(path: EventStreamRoutes.roomPath, contentType: EventStreamFrame.contentType) { _, decide in
                    let services = bound.value.services
                    guard let admission = try? AuthorizedAdmission.authorized(lastSeq: lastSeq) else { return }
                    decide(
                        .begin {
                            EventStreamConnection($0, admission: .room(admission), cursor: nil, services: services)
                        })
                }
            ],
            envelope: ResponseEnvelope(
                metrics: RequestMetrics(factory: PrometheusRegistry(), routes: []), cors: CORSPolicy(origins: .any),
                isEncrypted: false, logger: noLogger),
            date: HTTPDate(), isServing: { true })
        try channel.pipeline.syncOperations.addHandlers([
            transport,
            HTTPConnectionHandler(
                HTTPConnectionConfiguration(
                    directRoutes: nil, streamRoutes: streams, headTimeout: .seconds(10), date: HTTPDate()),
                access: .all),
        ])
        channel.pipeline.fireChannelRead(request)
        channel.pipeline.fireChannelReadComplete()
        return (channel, transport)
    }

    private func text(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    private func finish(_ channel: EmbeddedChannel) throws {
        channel.close(promise: nil)
        fixture.eventLoop.run()
        #expect(fixture.shard.sessionCount == 0)
        #expect(try fixture.sessions("live") ?? 0 == 0)
        #expect(try fixture.sessions("catching_up") ?? 0 == 0)
        fixture.eventLoop.advanceTime(by: .seconds(300))
    }

    @Test(arguments: [nil, 0] as [Seq?], [1, 2]) func `a stream whose write fails ends`(lastSeq: Seq?, flush: Int)
        throws
    {
        let (channel, transport) = try open(lastSeq: lastSeq, failsAtFlush: flush)
        if flush == 2 { fixture.dispatch(event(1)) }
        #expect(transport.hasFailed && !channel.isActive)
        try finish(channel)
    }

    @Test func `a stream whose last write fails ends once`() throws {
        let (channel, transport) = try open(failsAtFlush: 2)
        for session in fixture.shard.sessions(inRoom: hall) {
            session.transport.close(CloseReason(.notAMember, "no longer a member"))
            session.transport.close(CloseReason(.restart, "this server restarts"))
        }
        #expect(transport.hasFailed && !channel.isActive)
        try finish(channel)
    }

    @Test func `a stream begins with its times and its position`() throws {
        let (channel, _) = try open()
        let opening = try text(channel)
        #expect(opening.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(opening.contains("\r\n\r\nretry: 3000\n\nid: 0.\ndata: {\"eventType\":\"ready\""))
        #expect(opening.contains(#""heartbeatSeconds":15"#))
        fixture.dispatch(event(1))
        #expect(try text(channel).hasPrefix("id: 1"))
        try finish(channel)
    }

    @Test func `an idle stream gets a comment every 15 seconds`() throws {
        let (channel, _) = try open()
        _ = try text(channel)
        var comments = 0
        for _ in 0..<60 {
            fixture.eventLoop.advanceTime(by: .seconds(1))
            let text = try text(channel)
            #expect(["", ":\n\n"].contains(text))
            if !text.isEmpty { comments += 1 }
        }
        #expect(comments == 4)
        #expect(channel.isActive)
        try finish(channel)
    }

    @Test(arguments: [
        (CloseReason(.notAMember, "no longer a member"), "event: close\ndata: {\"code\":4403,"),
        (CloseReason(.tokenExpired, "expired"), "event: close\ndata: {\"code\":4408,"),
        (CloseReason(.restart, "this server restarts"), "retry: "), (CloseReason(.tryAgainLater, "slow"), "retry: "),
    ])
    func `an end says whether it is for good, and is the last that is sent`(reason: CloseReason, expected: String)
        throws
    {
        let (channel, _) = try open()
        _ = try text(channel)
        fixture.shard.sessions(inRoom: hall).first?.transport.close(reason)
        let last = try text(channel)
        #expect(last.hasPrefix(expected) && last.hasSuffix("\n\n"))
        #expect(fixture.shard.sessionCount == 0)
        fixture.dispatch(event(1))
        #expect(try text(channel).isEmpty)
        // An embedded channel closes as a whole where its output is closed.
        fixture.eventLoop.advanceTime(by: .seconds(5))
        #expect(!channel.isActive)
        try finish(channel)
    }

    @Test func `a client that ends its output ends its session`() throws {
        let (channel, _) = try open()
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        fixture.eventLoop.run()
        #expect(!channel.isActive)
        try finish(channel)
    }
}
