import CommonUtil

/// An event that a server sends to a session of a user about the user's rooms.
public enum UserSessionEvent: Equatable, Sendable {
    /// Why the session is sent nothing more of a room.
    public enum RemovalReason: String, CaseIterable, Sendable {
        /// The user left.
        case left
        /// Somebody removed the user.
        case removed
        /// The database was set back to a time at which the user was no member.
        case reset
    }

    /// The first frame.
    case ready(sessionID: String, UserID, heartbeatSeconds: Int64)
    /// A piece of the list of rooms, newest activity first.
    case rooms([RoomJSON], removed: [RoomID], isAll: Bool, isLast: Bool)
    /// The client knows another log: it drops it and goes on after `seq`.
    case roomReset(RoomJSON, RoomID, seq: Seq, mark: EventMark?)
    /// More events are missing than the client wants: it goes on after `seq`.
    case roomSkipped(RoomID, seq: Seq, mark: EventMark?)
    /// What the client asked for is sent; from here on all is live.
    case synced(cursor: String)
    /// The user has become a member.
    case roomAdded(RoomJSON)
    case roomRemoved(RoomID, RemovalReason)
    /// The user has read the room, on this or another device. `unreadCount` counts up to `lastSeq`.
    case roomChanged(RoomID, lastReadSeq: Seq, unreadCount: Int, lastSeq: Seq)
    /// For the next `sync`.
    case cursor(String)
}

/// A room as `GET /rooms` shows it to a user: JSON text.
public struct RoomJSON: Equatable, Sendable, JSONEncodable {
    private let text: [UInt8]

    /// Encodes a room.
    public init(_ room: some JSONEncodable) { text = room.jsonBytes }

    /// Writes the room.
    public func write(to writer: inout JSONWriter) { writer.raw(text) }
}

extension UserSessionEvent: JSONEncodable {
    /// Writes the contract's event.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.eventType, type.rawValue)
            switch self {
            case .ready(let sessionID, let userID, let heartbeatSeconds):
                writer.member(EventKey.sessionID, sessionID)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.heartbeatSeconds, heartbeatSeconds)
            case .rooms(let rooms, let removed, let isAll, let isLast):
                writer.key(EventKey.rooms)
                writer.array(rooms) { $1.write(to: &$0) }
                writer.key(EventKey.removed)
                writer.array(removed) { $0.string($1.rawValue) }
                if isAll { writer.member(EventKey.isAll, true) }
                if isLast { writer.member(EventKey.isLast, true) }
            case .roomReset(let room, let roomID, let seq, let mark):
                writePosition(roomID, seq, mark, to: &writer)
                writer.member(EventKey.room, room)
            case .roomSkipped(let roomID, let seq, let mark):
                writePosition(roomID, seq, mark, to: &writer)
            case .roomAdded(let room):
                writer.member(EventKey.room, room)
            case .roomRemoved(let roomID, let reason):
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.reason, reason.rawValue)
            case .roomChanged(let roomID, let lastReadSeq, let unreadCount, let lastSeq):
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.lastReadSeq, lastReadSeq)
                writer.member(EventKey.unreadCount, Int64(unreadCount))
                writer.member(EventKey.lastSeq, lastSeq)
            case .synced(let cursor), .cursor(let cursor):
                writer.member(EventKey.cursor, cursor)
            }
        }
    }

    private func writePosition(_ roomID: RoomID, _ seq: Seq, _ mark: EventMark?, to writer: inout JSONWriter) {
        writer.member(EventKey.roomID, roomID.rawValue)
        writer.member(EventKey.seq, seq)
        writer.member(mark: mark)
    }

    private var type: EventType {
        switch self {
        case .ready: .ready
        case .rooms: .rooms
        case .roomReset: .roomReset
        case .roomSkipped: .roomSkipped
        case .synced: .synced
        case .roomAdded: .roomAdded
        case .roomRemoved: .roomRemoved
        case .roomChanged: .roomChanged
        case .cursor: .cursor
        }
    }
}
