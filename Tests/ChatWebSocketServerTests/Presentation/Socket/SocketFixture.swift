import ChatEventBus
import CommonAuth
import CommonUtil
import Logging
import MetricsTestKit
import NIOCore
import NIOEmbedded
import NIOPosix
import RedisClient

@testable import ChatWebSocketServer

/// The sockets of a server on an embedded event loop, with a log in memory and without PostgreSQL and Redis.
final class SocketFixture {
    let eventLoop = EmbeddedEventLoop()
    let log = MemoryLog()
    let shard: SessionShard
    let services: WebSocketServices
    private let metrics = TestMetrics()

    init(frameLimit: Rate = Rate(0, per: .second)) throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let metrics = DeliveryMetrics(factory: metrics)
        shard = SessionShard(
            eventLoop: eventLoop, log: log, readLimiter: AsyncSemaphore(limit: 16), ringBytes: 1 << 20,
            metrics: metrics,
            logger: logger)
        shard.apply([.attach(hall, position: 0)])
        let sessions = ChatRoomSessionManager(shards: [NIOLoopBound(shard, eventLoop: eventLoop)])
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: "redis://127.0.0.1:1"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
        let publisher = EventPublisher(redis: redis, logger: logger)
        let typing = TypingRelay(publisher: publisher, eventLoop: eventLoop)
        let feeds = RoomFeeds(
            eventLoop: eventLoop, sessions: sessions, log: log, typing: typing, metrics: metrics, logger: logger)
        let userSessions = UserSessionService(
            feeds: feeds, sessions: sessions, directory: log, log: log, logger: logger)
        let broadcast = WebSocketBroadcastService(
            feeds: feeds, userSessions: userSessions, typing: typing, log: log, logger: logger)
        let tokens = TokenVerifier(keys: LocalKeys { KeySet([]) })
        services = WebSocketServices(
            admission: AdmissionService(
                authMode: .trusted, tokens: tokens, limits: SocketLimits(.init()),
                queue: AdmissionQueue(
                    authMode: .trusted, directory: log, feeds: NIOLoopBound(feeds, eventLoop: eventLoop),
                    sessions: sessions)),
            commands: SessionCommands(
                authMode: .trusted, tokens: tokens, directory: log, broadcast: broadcast,
                receipts: ReadReceiptPublisher(publisher)),
            sessions: sessions, userSessions: userSessions, metrics: metrics, allowedOrigins: .any, trustedProxies: [],
            authMode: .trusted,
            frameLimit: FrameLimit(rate: frameLimit), openSockets: OpenSockets(),
            isDraining: { false }, isServing: { true }, logger: logger)
    }

    /// A handler of an admitted session.
    func handler(opening: ByteBuffer = ByteBuffer(string: "101"), lastSeq: Seq? = nil) throws -> ChatWebSocketHandler {
        ChatWebSocketHandler(
            opening: opening, admission: .success(.room(try .authorized(lastSeq: lastSeq))), services: services)
    }

    /// A handler of an admitted session of user 7, which has no room yet and waits for `sync`.
    func userHandler() throws -> ChatWebSocketHandler {
        ChatWebSocketHandler(
            opening: ByteBuffer(string: "101"), admission: .success(.user(.admitted(synchronizesAtOnce: false))),
            services: services)
    }

    /// A connection of this event loop.
    func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handlers: [], loop: eventLoop)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        return channel
    }

    /// The gauge of sessions in this state; `nil` where there never were any.
    func sessions(_ state: String) throws -> Double? {
        try metrics.expectMeter("chat_sessions", [("state", state)]).lastValue
    }

    /// Dispatches an event to the room's sessions.
    func dispatch(_ event: MessageEvent) {
        shard.apply([.dispatch(RoomDispatch(roomID: hall, events: [event]))])
    }

    /// Runs all timers of sessions that have ended, as an embedded event loop requires.
    func finish() { eventLoop.advanceTime(by: .seconds(70)) }
}
