import ChatEventBus
import CommonUtil
import NIOCore

/// Passes on that someone types, by Redis to every server. Confined to the event loop on which Redis is heard.
final class TypingRelay {
    private let publisher: EventPublisher
    private var ledger = TypingLedger()

    init(publisher: EventPublisher) { self.publisher = publisher }

    func say(_ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: String) {
        let event = ledger.say(isTyping, in: roomID, by: userID, sessionID: sessionID, now: .now())
        if let event { publisher.publish(event) }
    }

    /// - Returns: the session of this server that said it, if any.
    func sender(of json: ByteBuffer) -> String? { ledger.sender(of: json, now: .now()) }
}
