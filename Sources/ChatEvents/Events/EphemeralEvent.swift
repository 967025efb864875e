import CommonUtil

/// An event that is told to live sessions and not kept: it has no `seq`, and whoever misses it misses nothing lasting.
public enum EphemeralEvent: Equatable, Sendable {
    case read(RoomID, UserID, lastReadSeq: Seq, at: Timestamp)
    case typing(RoomID, UserID, isTyping: Bool)

    public var roomID: RoomID {
        switch self {
        case .read(let roomID, _, _, _), .typing(let roomID, _, _): roomID
        }
    }
}

extension EphemeralEvent: JSONEncodable {
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .read(let roomID, let userID, let lastReadSeq, let at):
                writer.member(EventKey.eventType, EventType.read.rawValue)
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.lastReadSeq, lastReadSeq)
                writer.member(EventKey.at, at)
            case .typing(let roomID, let userID, let isTyping):
                writer.member(EventKey.eventType, EventType.typing.rawValue)
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.typing, isTyping)
            }
        }
    }
}
