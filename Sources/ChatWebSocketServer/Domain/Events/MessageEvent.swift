import ChatEvents
import CommonUtil
import NIOCore

/// An event on its way to sockets: encoded once, as a whole WebSocket text frame, and shared by all sessions.
struct MessageEvent: Sendable {
    /// Its place in the room's log; `nil` for an ephemeral event.
    let seq: Seq?
    /// Its mark; `nil` for an ephemeral event, and for one that was published without.
    let mark: EventMark?
    let type: EventType?
    /// The user that the event is about, if any.
    let userID: UserID?
    /// Who changed the membership of that user.
    let actorID: UserID?
    /// The message that the event is about, if any.
    let messageID: MessageID?
    /// When a new message was committed; `nil` for other events, and for those read from the log.
    let sentAt: Timestamp?
    /// The WebSocket frame: header and payload.
    let frame: ByteBuffer
    /// Whether the user types, for a typing event.
    let isTyping: Bool?
    /// The session that caused the event and does not get it.
    var senderSessionID: SessionID?

    /// Decodes an event as it was published.
    ///
    /// Fails for anything but a JSON object, for one that is too large, and for a `seq` in a log that is not the channel's.
    /// - Parameter channel: the room of its channel; `nil` for a user's.
    init?(json: ByteBuffer, of channel: RoomID?) {
        guard let envelope = json.withUnsafeReadableBytes({ EventEnvelope($0) }) else { return nil }
        if envelope.seq != nil {
            guard let channel, envelope.roomID.map({ $0 == channel.rawValue }) ?? true else { return nil }
        }
        seq = envelope.seq
        mark = envelope.mark
        type = envelope.type
        userID = envelope.userID
        actorID = envelope.actorID
        messageID = envelope.messageID
        sentAt = envelope.sentAt
        isTyping = envelope.isTyping
        frame = WebSocketFrame.text(json)
    }

    /// Encodes an event that was read from the log.
    init(_ event: RoomEvent) {
        seq = event.seq
        mark = event.mark
        type = event.change.type
        (userID, actorID) =
            switch event.change {
            case .memberJoined(let userID, _, let actorID, _), .memberLeft(let userID, let actorID, _),
                .memberRoleChanged(let userID, _, let actorID, _):
                (userID, actorID)
            default: (nil, nil)
            }
        messageID = event.change.message?.messageID
        // Read from the log, long after it was sent.
        sentAt = nil
        isTyping = nil
        frame = WebSocketFrame.text(ByteBuffer(bytes: event.jsonBytes))
    }

    /// The JSON text.
    var json: ByteBufferView { Self.json(of: frame) }

    /// The payload of a text frame of this server.
    static func json(of frame: ByteBuffer) -> ByteBufferView {
        // The header of an unmasked frame: the second byte is the length, or says how many bytes it takes.
        let header =
            switch frame.getInteger(at: frame.readerIndex + 1, as: UInt8.self) {
            case 126: 4
            case 127: 10
            default: 2
            }
        return frame.readableBytesView.dropFirst(header)
    }

    /// Whether the event changes the content of an earlier message.
    var replacesMessage: Bool { type == .messageEdited || type == .messageDeleted }
}
