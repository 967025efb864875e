import ChatEvents
import CommonLogging
import CommonUtil
import Logging
import NIOCore

/// Sends the sessions of one event loop what they missed, from the room's ring and from the log, as their sockets drain. The
/// decisions are ``SessionCursor``'s. Confined to the event loop.
final class CatchUp {
    /// Events of one page that a session reads from the log.
    private static let pageSize = 64
    /// Pause before a read that failed is repeated, in milliseconds.
    private static let retryPause: ClosedRange<Int64> = 250...750

    private let eventLoop: any EventLoop
    private let log: any RoomLog
    private let readLimiter: AsyncSemaphore
    private let fanOut: FanOut
    private let metrics: DeliveryMetrics
    private let logger: Logger
    private let gaps: RateLimitedLogger
    /// Called where a subscription has caught up.
    var onCaughtUp: (ChatSession) -> Void = { _ in }

    /// - Parameter readLimiter: shared by all event loops.
    init(
        eventLoop: any EventLoop, log: any RoomLog, readLimiter: AsyncSemaphore, fanOut: FanOut,
        metrics: DeliveryMetrics,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.log = log
        self.readLimiter = readLimiter
        self.fanOut = fanOut
        self.metrics = metrics
        self.logger = logger
        gaps = RateLimitedLogger(logger: logger, message: "a room's log lacks events; a session steps over them")
    }

    /// Sends a session what it is missing, as far as its socket takes it. Does nothing for a session that is live.
    ///
    /// Rooms take turns, a page of the log each.
    func advance(_ session: ChatSession) {
        guard !session.behind.isEmpty, !session.isReadingLog else { return }
        defer {
            session.transport.flush()
            fanOut.reportSent()
        }
        while session.transport.isWritable, let subscription = session.behind.first {
            guard let room = subscription.room else {
                session.dequeue()
                continue
            }
            switch fanOut.move(subscription, { $0.next(in: room.tail) }) {
            case .send(let event):
                fanOut.queue(event, for: subscription)
            case .readLog(let seq):
                session.dequeue()
                return readLog(after: seq, for: subscription)
            case .goLive(let announces):
                session.dequeue()
                if announces {
                    let cursor = subscription.cursor
                    session.transport.write(.caughtUp(subscription.roomID, seq: cursor.seq, mark: cursor.mark))
                }
                session.user?.settle(subscription)
                onCaughtUp(session)
            case .otherLog:
                session.dequeue()
                fanOut.onOtherLog(subscription)
            case .wait:
                session.dequeue()
            }
        }
    }

    private func readLog(after seq: Seq, for subscription: RoomSubscription) {
        let roomID = subscription.roomID
        subscription.session.isReadingLog = true
        eventLoop.makeFutureWithTask { [log, readLimiter] in
            try await readLimiter.run {
                try await log.events(of: roomID, after: seq, limit: Self.pageSize)
            }
        }.assumeIsolated().whenComplete { self.read($0, for: subscription) }
    }

    private func read(_ page: Result<EventPage, any Error>, for subscription: RoomSubscription) {
        subscription.session.isReadingLog = false
        switch page {
        case .success(let page):
            take(page, for: subscription)
        case .failure(let error):
            logger.debug("a page of the log could not be read", metadata: ["reason": "\(error)"])
            retry(subscription, after: .milliseconds(.random(in: Self.retryPause)))
        }
        // Another room's turn.
        advance(subscription.session)
    }

    private func take(_ page: EventPage, for subscription: RoomSubscription) {
        guard let room = subscription.room else { return }
        let session = subscription.session
        let before = subscription.cursor.seq
        switch subscription.cursor.pageRead(
            from: page.events.first?.seq, mark: page.mark, position: room.tail.position)
        {
        case .send:
            metrics.receivedFromLog(page.events.count)
            for event in page.events where session.transport.isWritable {
                if subscription.cursor.take(event) { fanOut.queue(event, for: subscription) }
            }
            session.enqueue(subscription)
        case .readAgain(let pause):
            retry(subscription, after: TimeAmount(pause))
        case .skipGap(let seq):
            metrics.steppedOverGap()
            gaps.warning(["room": "\(subscription.roomID)", "after": "\(before)", "upTo": "\(seq)"])
            session.enqueue(subscription)
        case .otherLog:
            fanOut.onOtherLog(subscription)
        case .ignore:
            break
        }
    }

    private func retry(_ subscription: RoomSubscription, after pause: TimeAmount) {
        eventLoop.assumeIsolated().scheduleTask(in: pause) {
            guard subscription.room != nil else { return }
            subscription.cursor.retry()
            subscription.session.enqueue(subscription)
            self.advance(subscription.session)
        }
    }
}
