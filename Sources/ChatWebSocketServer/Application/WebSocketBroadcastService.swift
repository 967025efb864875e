import ChatEventBus
import ChatEvents
import CommonUtil
import Logging
import NIOCore
import ServiceLifecycle

/// Brings events to the sockets of a room or a user: keeps a feed for each room that has sessions here, and tells each
/// event loop what the feeds have to say.
///
/// All feeds live on one event loop, the one on which Redis is heard: an event is put in order where it arrives.
final class WebSocketBroadcastService: Service {
    private let feeds: NIOLoopBound<RoomFeeds>
    private let headComparison: NIOLoopBound<HeadComparison>
    private let typing: NIOLoopBound<TypingRelay>

    /// To be called on `eventLoop`.
    /// - Parameter eventLoop: the one on which ``receive(_:)`` is called.
    init(
        eventLoop: any EventLoop, sessions: ChatRoomSessionManager, log: any RoomLog, publisher: EventPublisher,
        metrics: DeliveryMetrics, headChecks: HeadComparison.Intervals = .init(), logger: Logger
    ) {
        let typing = TypingRelay(publisher: publisher, eventLoop: eventLoop)
        let feeds = RoomFeeds(
            eventLoop: eventLoop, sessions: sessions, log: log, typing: typing, metrics: metrics, logger: logger)
        let comparison = HeadComparison(
            eventLoop: eventLoop, feeds: feeds, log: log, intervals: headChecks, logger: logger)
        self.typing = NIOLoopBound(typing, eventLoop: eventLoop)
        self.feeds = NIOLoopBound(feeds, eventLoop: eventLoop)
        headComparison = NIOLoopBound(comparison, eventLoop: eventLoop)
    }

    // MARK: Broadcasting

    /// Sends an event to every session of a room, in the order of the room's log if it has a `seq`.
    func broadcast(toRoom roomID: RoomID, _ json: ByteBuffer) {
        receive([ReceivedEvent(channel: .room(roomID), json: json)])
    }

    /// Sends an event to every session of a user.
    func broadcast(toUser userID: UserID, _ json: ByteBuffer) {
        receive([ReceivedEvent(channel: .user(userID), json: json)])
    }

    /// Tells a room's other sessions, on every server, that someone types.
    func tellTyping(_ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: String) {
        typing.eventLoop.execute { [typing] in
            typing.value.say(isTyping, in: roomID, by: userID, sessionID: sessionID)
        }
    }

    /// Takes what was heard on Redis, in order.
    func receive(_ events: [ReceivedEvent]) {
        onLoop { $0.receive(events) }
    }

    /// Whether events are heard from now on. What was published before must be asked of the log.
    func hearingChanged(_ isHearing: Bool) {
        headComparison.eventLoop.execute { [headComparison] in headComparison.value.isHearing = isHearing }
    }

    // MARK: Rooms

    /// The one on which all feeds live.
    var eventLoop: any EventLoop { feeds.eventLoop }

    /// Opens a room's feed, before the log is asked for the room's head: once it is followed nothing is missed. To be
    /// called on ``eventLoop``.
    /// - Parameter shard: the event loop that the session will live on.
    func open(_ roomID: RoomID, shard: Int) -> (feed: Lease, isFollowed: EventLoopFuture<Void>) {
        let isFollowed = feeds.value.retain(roomID, shard: shard)
        let lease = Lease { self.onLoop { $0.release(roomID, shard: shard) } }
        return (lease, isFollowed)
    }

    /// Has the subscriber told which rooms have sessions here. To be called before the first session comes.
    func follow(with subscriber: EventSubscriber) {
        feeds.eventLoop.execute { [feeds] in feeds.value.subscriber = subscriber }
    }

    /// The highest event that was sent of a room. To be called on ``eventLoop``.
    func position(of roomID: RoomID) -> Seq? { feeds.value.position(of: roomID) }

    /// Tells an open feed the room's head, as the log had it, and the session's event loop of the feed. To be called on
    /// ``eventLoop``.
    /// - Parameter sent: the room's position before the log was asked.
    func attach(_ roomID: RoomID, shard: Int, head: Seq, sent: Seq?) {
        feeds.value.attach(roomID, shard: shard, head: head, sent: sent)
    }

    /// Compares the rooms' heads with the log until graceful shutdown.
    func run() async throws {
        headComparison.eventLoop.execute { [headComparison] in headComparison.value.start() }
        try? await gracefulShutdown()
        headComparison.eventLoop.execute { [headComparison] in headComparison.value.stop() }
    }

    private func onLoop(_ work: @escaping @Sendable (RoomFeeds) -> Void) {
        if feeds.eventLoop.inEventLoop {
            work(feeds.value)
        } else {
            feeds.eventLoop.execute { [feeds] in work(feeds.value) }
        }
    }
}
