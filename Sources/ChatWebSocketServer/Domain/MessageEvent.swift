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
    /// When it was committed, for a message that is new.
    let sentAt: Timestamp?
    /// Header and payload.
    let frame: ByteBuffer

    /// - Returns: `nil` for what is no JSON object of at most 64 KiB.
    init?(json: ByteBuffer) {
        guard let envelope = json.withUnsafeReadableBytes({ EventEnvelope($0) }) else { return nil }
        seq = envelope.seq
        type = envelope.type
        userID = envelope.userID
        sentAt = envelope.sentAt
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
        // Read from the log, long after it was sent.
        sentAt = nil
        frame = WebSocketFrame.text(ByteBuffer(bytes: event.jsonBytes))
    }
}
