import ChatEvents
import CommonUtil
import NIOCore

/// An event on its way to sockets: encoded once, as a whole WebSocket text frame, and shared by all sessions.
struct MessageEvent: Sendable {
    /// Its place in the room's log; `nil` for one that is only passing by.
    let seq: Seq?
    let type: EventType?
    /// Whom the event is about, where it names someone.
    let userID: UserID?
    /// Which message the event is about, if any.
    let messageID: MessageID?
    /// When it was committed, for a message that is new.
    let sentAt: Timestamp?
    /// Header and payload.
    let frame: ByteBuffer
    /// Of an event that says whether somebody types.
    let isTyping: Bool?
    /// The session that caused it and does not get it.
    var senderSessionID: String?

    /// Takes an event as it was published.
    /// - Parameter channel: the room of its channel; `nil` for a user's.
    /// - Returns: `nil` for what is no JSON object, is larger than one may be, or claims a place in a log that is not the
    ///   channel's.
    init?(json: ByteBuffer, of channel: RoomID?) {
        guard let envelope = json.withUnsafeReadableBytes({ EventEnvelope($0) }) else { return nil }
        if envelope.seq != nil {
            guard let channel, envelope.roomID.map({ $0 == channel.rawValue }) ?? true else { return nil }
        }
        seq = envelope.seq
        type = envelope.type
        userID = envelope.userID
        messageID = envelope.messageID
        sentAt = envelope.sentAt
        isTyping = envelope.isTyping
        frame = WebSocketFrame.text(json)
    }

    init(_ event: RoomEvent) {
        seq = event.seq
        type = event.change.type
        userID =
            switch event.change {
            case .memberJoined(let userID, _, _, _), .memberLeft(let userID, _, _),
                .memberRoleChanged(let userID, _, _, _):
                userID
            default: nil
            }
        messageID =
            switch event.change {
            case .message(let message), .messageEdited(let message), .messageDeleted(let message): message.messageID
            default: nil
            }
        // Read from the log, long after it was sent.
        sentAt = nil
        isTyping = nil
        frame = WebSocketFrame.text(ByteBuffer(bytes: event.jsonBytes))
    }

    /// Whether a message reads otherwise from this event on.
    var replacesMessage: Bool { type == .messageEdited || type == .messageDeleted }
}
