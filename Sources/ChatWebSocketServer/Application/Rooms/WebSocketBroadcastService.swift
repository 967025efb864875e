import ChatEventBus
import ChatEvents
import CommonUtil
import Logging
import NIOCore
import ServiceLifecycle

/// Sends events to the sockets of a room or a user. May be called from anywhere; the work is done on the feeds' event loop.
final class WebSocketBroadcastService: Service {
    private let feeds: NIOLoopBound<RoomFeeds>
    private let headComparison: NIOLoopBound<HeadComparison>
    private let typing: NIOLoopBound<TypingRelay>
    private let userSessions: UserSessionService

    /// To be called on the feeds' event loop.
    init(
        feeds: RoomFeeds, userSessions: UserSessionService, typing: TypingRelay, log: any RoomLog,
        headChecks: HeadComparison.Intervals = .init(), logger: Logger
    ) {
        let eventLoop = feeds.eventLoop
        let comparison = HeadComparison(
            eventLoop: eventLoop, feeds: feeds, log: log, intervals: headChecks, logger: logger)
        comparison.onCompare = { userSessions.compareVersions() }
        self.userSessions = userSessions
        self.feeds = NIOLoopBound(feeds, eventLoop: eventLoop)
        self.typing = NIOLoopBound(typing, eventLoop: eventLoop)
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

    /// Publishes to a room's other sessions, on every server, that a user types or no longer does.
    func publishTyping(_ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: SessionID) {
        typing.eventLoop.execute { [typing] in
            typing.value.publish(isTyping, in: roomID, by: userID, sessionID: sessionID)
        }
    }

    // MARK: Redis

    /// Takes what arrived from Redis, in order.
    func receive(_ events: [ReceivedEvent]) {
        if feeds.eventLoop.inEventLoop {
            feeds.value.receive(events)
        } else {
            feeds.eventLoop.execute { [feeds] in feeds.value.receive(events) }
        }
    }

    /// Notes whether events arrive from Redis from now on. Events that were published before are read from the log.
    func receivingChanged(_ isReceiving: Bool) {
        headComparison.eventLoop.execute { [headComparison] in headComparison.value.isReceiving = isReceiving }
    }

    /// Lets a subscriber follow the rooms that have sessions here. To be called before the first session begins.
    func follow(with subscriber: EventSubscriber) {
        feeds.eventLoop.execute { [feeds] in feeds.value.subscriber = subscriber }
    }

    /// Compares the rooms' heads with the log until graceful shutdown.
    func run() async throws {
        headComparison.eventLoop.execute { [headComparison, userSessions] in
            headComparison.value.start()
            userSessions.start()
        }
        try? await gracefulShutdown()
        headComparison.eventLoop.execute { [headComparison, userSessions] in
            headComparison.value.stop()
            userSessions.stop()
        }
    }
}
