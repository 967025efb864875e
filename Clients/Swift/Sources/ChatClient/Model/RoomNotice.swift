/// The states of a room.
public enum RoomState: String, Sendable, Hashable {
    /// Nothing arrives: not connected, or not opened.
    case idle
    /// Missed events are being sent.
    case syncing
    /// Events arrive as they happen.
    case live
    /// The server has another log, and no event of it has come yet.
    case reset
    /// The room is no longer the user's.
    case gone
}

/// Something that happens in a room besides its log.
public enum RoomNotice: Sendable, Hashable {
    /// Typing, a read receipt.
    case signal(RoomSignal)
    /// The server has another log, which continues after the position; `lost` are the user's own messages that it does
    /// not have.
    case reset(LogPosition, lost: [Message])
    /// More events than `maximumMissed` were missing: those in between are not shown and can be read from the log.
    case skipped(after: Int64, through: Int64)
    /// The room is no longer the user's.
    case gone
}

/// Typing and read receipts: they are no part of the log, and are sent while the room is open.
public enum RoomSignal: Hashable, Sendable {
    /// A user types, or has stopped.
    case typing(userID: Int64, isTyping: Bool)
    /// A user has read up to an event.
    case read(userID: Int64, lastReadSeq: Int64)
    /// Anything else without a `seq`.
    case other(JSONObject)

    init(json: JSONObject) {
        let userID = json["userId"]?.integer
        switch json["eventType"]?.string {
        case "typing":
            if let userID, let flag = json["typing"]?.bool {
                self = .typing(userID: userID, isTyping: flag)
                return
            }
        case "read":
            if let userID, let seq = json["lastReadSeq"]?.integer {
                self = .read(userID: userID, lastReadSeq: seq)
                return
            }
        default: break
        }
        self = .other(json)
    }
}
