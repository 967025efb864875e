import ChatEventBus
import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import NIOCore
import NIOPosix
import RedisClient
import Testing

@testable import ChatWebSocketServer

/// Feeds and sessions on one real event loop, with a log in memory and without PostgreSQL and Redis.
struct DeliveryFixture: Sendable {
    let eventLoop: any EventLoop
    let log: MemoryLog
    let sessions: ChatRoomSessionManager
    let feeds: NIOLoopBound<RoomFeeds>
    let userSessions: UserSessionService
    let broadcast: WebSocketBroadcastService

    init(log events: [MessageEvent] = [], headChecks: HeadComparison.Intervals = .init()) async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let log = MemoryLog(events)
        let sessions = try await ChatRoomSessionManager(
            eventLoops: [eventLoop], log: log, ringBytes: 1 << 20, metrics: DeliveryMetrics(), logger: noLogger)
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: "redis://127.0.0.1:1"), eventLoop: eventLoop, logger: noLogger)
        let publisher = EventPublisher(redis: redis, logger: noLogger)
        let (feeds, userSessions, broadcast) = try await eventLoop.submit {
            let typing = TypingRelay(publisher: publisher, eventLoop: eventLoop)
            let feeds = RoomFeeds(
                eventLoop: eventLoop, sessions: sessions, log: log, typing: typing, metrics: DeliveryMetrics(),
                logger: noLogger)
            let userSessions = UserSessionService(
                feeds: feeds, sessions: sessions, directory: log, log: log, logger: noLogger)
            return (
                NIOLoopBound(feeds, eventLoop: eventLoop), userSessions,
                WebSocketBroadcastService(
                    feeds: feeds, userSessions: userSessions, typing: typing, log: log, headChecks: headChecks,
                    logger: noLogger)
            )
        }.get()
        (self.eventLoop, self.log, self.sessions) = (eventLoop, log, sessions)
        (self.feeds, self.userSessions, self.broadcast) = (feeds, userSessions, broadcast)
    }

    /// Opens the feed of ``hall`` at this head and registers a session with it.
    /// - Parameter sent: where the feed was before the head was read.
    func session(head: Seq, lastSeq: Seq? = nil, sent: FeedPosition? = nil) async throws -> (
        frames: EventCollector<ByteBuffer>, closes: EventCollector<CloseReason>
    ) {
        let (frames, closes) = (EventCollector<ByteBuffer>(), EventCollector<CloseReason>())
        let marks = try await log.positions(at: [head, lastSeq ?? 0, sent?.seq ?? 0].map { (hall, $0) }).map {
            $0?.mark
        }
        let reading = LogReading(
            head: head, headMark: marks[0], sent: sent, sentMark: marks[2], interruptions: log.interruptions)
        let feed = try await eventLoop.submit {
            let feed = feeds.value.open(hall, shard: 0).feed
            feeds.value.attach(hall, shard: 0, reading)
            return feed
        }.get()
        // After what the feeds have sent to the event loop, as an admission does.
        try await eventLoop.submit {
            let transport = RecordingTransport(frames: frames, closes: closes)
            let session = ChatSession(
                admission: try .authorized(
                    lastSeq: lastSeq, head: head, headMark: marks[0], lastMark: marks[1], feed: feed),
                transport: transport)
            transport.onClose = { [weak session, sessions] in
                if let session { sessions.remove(session) }
            }
            sessions.register(session, ready: ByteBuffer(string: "ready"))
        }.get()
        return (frames, closes)
    }

    /// Registers a session of user 7, and synchronizes it.
    func userSession(_ request: SyncRequest) async throws -> EventCollector<ByteBuffer> {
        let frames = EventCollector<ByteBuffer>()
        try await eventLoop.submit {
            let handle = userSessions.begin(
                .admitted(synchronizesAtOnce: true), transport: RecordingTransport(frames: frames), on: eventLoop)
            sessions.register(userSession: handle.session, ready: handle.ready)
            handle.synchronize(request)
        }.get()
        return frames
    }

    /// Delivers an event as Redis does.
    func receive(_ seqs: Seq..., log: Int64 = 0) {
        broadcast.receive(
            seqs.map { seq in
                ReceivedEvent(channel: .room(hall), json: ByteBuffer(bytes: event(seq, log: log).frame.payload))
            })
    }

    /// What the feed of ``hall`` has sent, to be compared.
    func probe() async throws -> FeedProbe {
        try #require(try await eventLoop.submit { feeds.value.probes[hall] }.get())
    }

    /// Gives the feed of ``hall`` a verdict.
    func compared(_ probe: FeedProbe, _ verdict: FeedProbe.Verdict) async throws {
        let interruptions = log.interruptions
        try await eventLoop.submit {
            feeds.value.compared([(hall, probe, verdict)], interruptions: interruptions)
        }.get()
    }

    /// Compares the feed of ``hall`` with the log.
    func compare() async throws {
        let probe = try await probe()
        let found = try await log.positions(at: probe.asked.map { (hall, $0) })
        try await compared(probe, probe.verdict(found))
    }

    /// Where the feed of ``hall`` is.
    func sent() async throws -> FeedPosition? {
        try await eventLoop.submit { feeds.value.sent(of: hall) }.get()
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
