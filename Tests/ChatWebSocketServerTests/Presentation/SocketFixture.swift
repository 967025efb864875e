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
            eventLoop: eventLoop, log: log, readLimiter: ReadLimiter(limit: 16), ringBytes: 1 << 20, metrics: metrics,
            logger: logger)
        let sessions = ChatRoomSessionManager(shards: [NIOLoopBound(shard, eventLoop: eventLoop)])
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: "redis://127.0.0.1:1"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
        let publisher = EventPublisher(redis: redis, logger: logger)
        let broadcast = WebSocketBroadcastService(
            eventLoop: eventLoop, sessions: sessions, log: log, publisher: publisher, metrics: metrics, logger: logger)
        let tokens = TokenVerifier(keys: LocalKeys { KeySet([]) })
        services = WebSocketServices(
            admission: AdmissionService(
                authMode: .trusted, tokens: tokens, limits: SocketLimits(.init()),
                queue: AdmissionQueue(authMode: .trusted, directory: log, broadcast: broadcast, sessions: sessions)),
            commands: SessionCommands(
                authMode: .trusted, tokens: tokens, directory: log, broadcast: broadcast,
                receipts: ReadReceiptPublisher(publisher)),
            sessions: sessions, metrics: metrics, allowedOrigins: .any, trustedProxies: [], authMode: .trusted,
            frameLimit: FrameLimit(rate: frameLimit), openSockets: OpenSockets(),
            isDraining: { false }, logger: logger)
    }

    /// Someone who was let into ``hall``.
    func admission(lastSeq: Seq? = nil, head: Seq = 0) throws -> AdmissionService.Admission {
        let query = [("roomId", hall.rawValue), ("userId", "7")] + (lastSeq.map { [("lastSeq", "\($0)")] } ?? [])
        return AdmissionService.Admission(
            request: try ConnectRequest(query: query.map { (key: $0.0, value: $0.1) }, authMode: .trusted),
            user: AuthenticatedUser(userID: UserID(7), tokenExpiresAt: nil), head: head, shard: 0,
            leases: (feed: Lease {}, place: Lease {}))
    }

    /// A handler for someone who was let in.
    func handler(opening: ByteBuffer = ByteBuffer(string: "101"), lastSeq: Seq? = nil) throws -> ChatWebSocketHandler {
        ChatWebSocketHandler(
            opening: opening, verdict: .success(try admission(lastSeq: lastSeq)), services: services)
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

    /// Has the room say something to the sessions that are live.
    func say(_ event: MessageEvent) {
        shard.apply([.dispatch(RoomDispatch(roomID: hall, events: [event]))])
    }

    /// Runs out all timers of sessions that have ended; an embedded event loop insists on it.
    func finish() { eventLoop.advanceTime(by: .seconds(70)) }
}

/// A room's log in memory.
final class MemoryLog: RoomLog, RoomDirectory {
    private let events: [MessageEvent]

    init(_ events: [MessageEvent] = []) { self.events = events }

    func events(of roomID: RoomID, after seq: Seq, limit: Int) async throws -> (events: [MessageEvent], hasMore: Bool) {
        let later = events.filter { $0.seq ?? 0 > seq }
        return (Array(later.prefix(limit)), later.count > limit)
    }
    func heads(of roomIDs: [RoomID]) async throws -> [RoomID: Seq] { [:] }
    func entries(_ asked: [(roomID: RoomID, userID: UserID?)]) async throws -> [RoomEntry?] { asked.map { _ in nil } }
    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadReceipt? { nil }
    func makeOpenRoom(_ roomID: RoomID) async throws {}
}
