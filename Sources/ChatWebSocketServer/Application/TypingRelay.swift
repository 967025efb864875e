import ChatEventBus
import ChatEvents
import CommonUtil
import NIOCore

/// Passes on who types, by Redis to every server, and from there to the sessions of each. Confined to the event loop on
/// which Redis is heard.
final class TypingRelay {
    /// What a session of this server says, and which one.
    private struct Statement {
        let isTyping: Bool
        let sessionID: String
    }

    private let publisher: EventPublisher
    private let eventLoop: any EventLoop
    private var ledger = TypingLedger()
    private var published = TypingThrottle<Statement>()
    private var heard = TypingThrottle<MessageEvent>()
    private var timer: Scheduled<Void>?
    private var timerDeadline: NIODeadline?
    /// Called with what is to be told to the sessions of a room later than it was heard.
    var onDue: (MessageEvent, RoomID) -> Void = { _, _ in }

    init(publisher: EventPublisher, eventLoop: any EventLoop) {
        self.publisher = publisher
        self.eventLoop = eventLoop
    }

    // MARK: What sessions of this server say

    func say(_ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: String) {
        let statement = Statement(isTyping: isTyping, sessionID: sessionID)
        let place = TypingPlace(roomID: roomID, userID: userID)
        if published.take(statement, isTyping: false, at: place, now: eventLoop.now) {
            publish(statement, in: roomID, by: userID)
        }
        schedule()
    }

    private func publish(_ statement: Statement, in roomID: RoomID, by userID: UserID) {
        let event = ledger.say(
            statement.isTyping, in: roomID, by: userID, sessionID: statement.sessionID, now: eventLoop.now)
        if let event { publisher.publish(event) }
    }

    // MARK: What was heard on Redis

    /// Takes an event that says whether somebody types.
    /// - Returns: the event, if the room's sessions are to be told now.
    func hear(_ event: MessageEvent, json: ByteBuffer, in roomID: RoomID) -> MessageEvent? {
        var event = event
        event.senderSessionID = ledger.sender(of: json, now: eventLoop.now)
        guard let userID = event.userID, let isTyping = event.isTyping else { return event }
        let place = TypingPlace(roomID: roomID, userID: userID)
        let isDue = heard.take(event, isTyping: isTyping, at: place, now: eventLoop.now)
        schedule()
        return isDue ? event : nil
    }

    // MARK: Time

    private func schedule() {
        let deadlines = [published.nextDeadline, heard.nextDeadline].compactMap { $0 }
        guard let deadline = deadlines.min(), timerDeadline.map({ deadline < $0 }) ?? true else { return }
        timer?.cancel()
        timerDeadline = deadline
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.timerDeadline = nil
            self.tellDue()
            self.schedule()
        }
    }

    private func tellDue() {
        let now = eventLoop.now
        for case .statement(let statement, let place) in published.popDue(now: now) {
            publish(statement, in: place.roomID, by: place.userID)
        }
        for due in heard.popDue(now: now) {
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
