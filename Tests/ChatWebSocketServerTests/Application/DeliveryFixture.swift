import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import NIOPosix
import RedisClient

@testable import ChatWebSocketServer

/// Feeds and sessions on one real event loop, with a log in memory and without PostgreSQL and Redis.
struct DeliveryFixture: Sendable {
    let eventLoop: any EventLoop
    let log: MemoryLog
    let sessions: ChatRoomSessionManager
    let feeds: NIOLoopBound<RoomFeeds>
    let broadcast: WebSocketBroadcastService

    init(log events: [MessageEvent] = [], headChecks: HeadComparison.Intervals = .init()) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let log = MemoryLog(events)
        let sessions = try await ChatRoomSessionManager(
            eventLoops: [eventLoop], log: log, ringBytes: 1 << 20, metrics: DeliveryMetrics(), logger: noLogger)
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: "redis://127.0.0.1:1"), eventLoop: eventLoop, logger: noLogger)
        let publisher = EventPublisher(redis: redis, logger: noLogger)
        let (feeds, broadcast) = try await eventLoop.submit {
            let typing = TypingRelay(publisher: publisher, eventLoop: eventLoop)
            let feeds = RoomFeeds(
                eventLoop: eventLoop, sessions: sessions, log: log, typing: typing, metrics: DeliveryMetrics(),
                logger: noLogger)
            let userSessions = UserSessionService(
                feeds: feeds, sessions: sessions, directory: log, log: log, logger: noLogger)
            return (
                NIOLoopBound(feeds, eventLoop: eventLoop),
                WebSocketBroadcastService(
                    feeds: feeds, userSessions: userSessions, typing: typing, log: log, headChecks: headChecks,
                    logger: noLogger)
            )
        }.get()
        (self.eventLoop, self.log, self.sessions) = (eventLoop, log, sessions)
        (self.feeds, self.broadcast) = (feeds, broadcast)
    }

    /// Opens the feed of ``hall`` at this head and registers a session with it.
    func session(head: Seq, lastSeq: Seq? = nil) async throws -> (
        frames: EventCollector<ByteBuffer>, closes: EventCollector<CloseReason>
    ) {
        let (frames, closes) = (EventCollector<ByteBuffer>(), EventCollector<CloseReason>())
        try await eventLoop.submit {
            let feed = feeds.value.open(hall, shard: 0).feed
            feeds.value.attach(hall, shard: 0, head: head, sent: nil)
            let transport = RecordingTransport(frames: frames, closes: closes)
            let session = ChatSession(
                admission: try .authorized(lastSeq: lastSeq, head: head, feed: feed), transport: transport)
            transport.onClose = { [weak session, sessions] in
                if let session { sessions.remove(session) }
            }
            sessions.register(session, ready: ByteBuffer(string: "ready"))
        }.get()
        return (frames, closes)
    }

    /// Delivers an event as Redis does.
    func receive(_ seqs: Seq...) {
        broadcast.receive(
            seqs.map { ReceivedEvent(channel: .room(hall), json: ByteBuffer(bytes: event($0).frame.payload)) })
    }

    /// The position of the feed of ``hall``.
    func position() async throws -> Seq? {
        try await eventLoop.submit { feeds.value.position(of: hall) }.get()
    }
}

extension ByteBuffer {
    /// The payload of a short text frame.
    fileprivate var payload: [UInt8] {
        let header = readableBytes > 127 ? 4 : 2
        return Array(readableBytesView.dropFirst(header))
    }
}
