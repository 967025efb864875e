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
    private let readLimiter: ReadLimiter
    private let fanOut: FanOut
    private let metrics: DeliveryMetrics
    private let logger: Logger
    private let gaps: RateLimitedLogger

    /// - Parameter readLimiter: shared by all event loops.
    init(
        eventLoop: any EventLoop, log: any RoomLog, readLimiter: ReadLimiter, fanOut: FanOut, metrics: DeliveryMetrics,
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
    func advance(_ session: ChatSession) {
        guard session.cursor.phase == .catchingUp, let room = session.room else { return }
        defer {
            session.transport.flush()
            fanOut.reportSent()
        }
        while session.transport.isWritable {
            switch fanOut.move(session, { $0.next(in: room.tail) }) {
            case .send(let event):
                fanOut.queue(event, for: session)
            case .readLog(let seq):
                return readLog(after: seq, for: session)
            case .goLive(let seq):
                if let seq {
                    let caughtUp = SessionEvent.caughtUp(session.roomID, seq: seq)
                    session.transport.write(WebSocketFrame.text(caughtUp.jsonBytes))
                }
                return
            case .wait:
                return
            }
        }
    }

    private func readLog(after seq: Seq, for session: ChatSession) {
        let roomID = session.roomID
        eventLoop.makeFutureWithTask { [log, readLimiter] in
            try await readLimiter.run {
                try await log.events(of: roomID, after: seq, limit: Self.pageSize).events
            }
        }.assumeIsolated().whenComplete { self.read($0, for: session) }
    }

    private func read(_ page: Result<[MessageEvent], any Error>, for session: ChatSession) {
        switch page {
        case .success(let events):
            take(events, for: session)
        case .failure(let error):
            logger.debug("a page of the log could not be read", metadata: ["reason": "\(error)"])
            retry(session, after: .milliseconds(.random(in: Self.retryPause)))
        }
    }

    private func take(_ events: [MessageEvent], for session: ChatSession) {
        guard let room = session.room else { return }
        let before = session.cursor.seq
        switch session.cursor.pageRead(from: events.first?.seq, position: room.tail.position) {
        case .send:
            metrics.receivedFromLog(events.count)
            for event in events where session.transport.isWritable {
                if session.cursor.take(event) { fanOut.queue(event, for: session) }
            }
            advance(session)
        case .readAgain(let pause):
            retry(session, after: TimeAmount(pause))
        case .skipGap(let seq):
            metrics.steppedOverGap()
            gaps.warning(["room": "\(session.roomID)", "after": "\(before)", "upTo": "\(seq)"])
            advance(session)
        case .ignore:
            break
        }
    }

    private func retry(_ session: ChatSession, after pause: TimeAmount) {
        eventLoop.assumeIsolated().scheduleTask(in: pause) {
            session.cursor.retry()
            self.advance(session)
        }
    }
}
