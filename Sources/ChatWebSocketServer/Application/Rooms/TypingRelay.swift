import ChatEventBus
import ChatEvents
import CommonUtil
import NIOCore

/// Passes typing statements on: from sessions of this server to Redis, and from Redis to the sessions here. Confined to the
/// feeds' event loop.
final class TypingRelay {
    /// A statement of a session of this server.
    private struct Statement {
        let isTyping: Bool
        let sessionID: SessionID
    }

    private let publisher: EventPublisher
    private let eventLoop: any EventLoop
    private var ledger = TypingLedger()
    private var published = TypingThrottle<Statement>()
    private var received = TypingThrottle<MessageEvent>()
    private var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?
    /// Called with an event that the room's sessions get later than it arrived.
    var onDue: (MessageEvent, RoomID) -> Void = { _, _ in }

    init(publisher: EventPublisher, eventLoop: any EventLoop) {
        self.publisher = publisher
        self.eventLoop = eventLoop
    }

    // MARK: From sessions of this server

    /// Publishes that a user types, or no longer does, now or when the throttle allows it.
    func publish(_ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: SessionID) {
        let statement = Statement(isTyping: isTyping, sessionID: sessionID)
        let place = TypingKey(roomID: roomID, userID: userID)
        if published.take(statement, isTyping: false, at: place, now: eventLoop.now) {
            publish(statement, in: roomID, by: userID)
        }
        schedule()
    }

    private func publish(_ statement: Statement, in roomID: RoomID, by userID: UserID) {
        let event = ledger.record(
            statement.isTyping, in: roomID, by: userID, sessionID: statement.sessionID, now: eventLoop.now)
        if let event { publisher.publish(event) }
    }

    // MARK: From Redis

    /// Takes a typing event.
    /// - Returns: the event, if the room's sessions get it now.
    func receive(_ event: MessageEvent, json: ByteBuffer, in roomID: RoomID) -> MessageEvent? {
        var event = event
        event.senderSessionID = ledger.sender(of: json, now: eventLoop.now)
        guard let userID = event.userID, let isTyping = event.isTyping else { return event }
        let place = TypingKey(roomID: roomID, userID: userID)
        let isDue = received.take(event, isTyping: isTyping, at: place, now: eventLoop.now)
        schedule()
        return isDue ? event : nil
    }

    // MARK: Time

    private func schedule() {
        let deadlines = [published.nextDeadline, received.nextDeadline].compactMap { $0 }
        guard let deadline = deadlines.min(), timerDeadline.map({ deadline < $0 }) ?? true else { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timerDeadline = nil
            self.sendDue()
            self.schedule()
        }
    }

    private func sendDue() {
        let now = eventLoop.now
        for case .statement(let statement, let place) in published.popDue(now: now) {
            publish(statement, in: place.roomID, by: place.userID)
        }
        for due in received.popDue(now: now) {
            switch due {
            case .statement(let event, let place):
                onDue(event, place.roomID)
            case .ended(let place):
                let event = EphemeralEvent.typing(place.roomID, place.userID, isTyping: false)
                if let event = MessageEvent(json: ByteBuffer(bytes: event.jsonBytes), of: place.roomID) {
                    onDue(event, place.roomID)
                }
            }
        }
    }
}
