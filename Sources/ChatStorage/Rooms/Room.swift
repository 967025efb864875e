import ChatEvents
import CommonUtil
import PostgresClient

/// The type of a room.
public enum RoomType: String, CaseIterable, Sendable {
    /// Two members who never change; one such room for each pair of users.
    case direct
    /// For members; hidden from others.
    case group
    /// Every signed-in user may find, read and join it.
    case `public`
    /// For members; hidden from others.
    case `private`
}

/// A room as the contract shows it.
public struct Room: Equatable, Sendable {
    public let roomID: RoomID
    public let name: String
    public let type: RoomType
    /// `nil` if nobody owns the room.
    public let ownerID: UserID?
    /// The number of members now.
    public let memberCount: Int
    /// The `seq` of the last event in its log.
    public let lastSeq: Seq
    /// The mark of the last event in its log; `nil` in a log without events.
    public let mark: EventMark?
    public let createdAt: Timestamp
    /// `nil` while the room is not archived.
    public let archivedAt: Timestamp?

    /// Whether the room is read-only for good.
    public var isArchived: Bool { archivedAt != nil }
}

extension Room: JSONEncodable {
    /// Writes the contract's `Room`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writeMembers(to: &$0) }
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("roomId", roomID.rawValue)
        writer.member("name", name)
        writer.member("type", type.rawValue)
        writer.member("ownerId", ifPresent: ownerID?.rawValue)
        writer.member("memberCount", Int64(memberCount))
        writer.member("lastSeq", lastSeq)
        writer.member(mark: mark)
        writer.member("createdAt", createdAt)
        writer.member("archivedAt", ifPresent: archivedAt)
    }
}

/// A member of a room.
public struct RoomMember: Equatable, Sendable, JSONEncodable {
    public let userID: UserID
    public let role: MemberRole
    /// The member's read mark.
    public let lastReadSeq: Seq
    public let joinedAt: Timestamp

    /// Writes `{userId, role, lastReadSeq, joinedAt}`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("userId", userID.rawValue)
            writer.member("role", role.rawValue)
            writer.member("lastReadSeq", lastReadSeq)
            writer.member("joinedAt", joinedAt)
        }
    }
}

/// A room in a user's list of rooms, with what is new in it.
public struct RoomSummary: Equatable, Sendable, JSONEncodable {
    public let room: Room
    /// The last message, also a deleted one; `nil` in a room without messages.
    public let lastMessage: Message?
    /// The user's read mark.
    public let lastReadSeq: Seq
    /// Messages of others after `lastReadSeq`, deleted ones not counted; 1,000 stands for more than 999.
    public let unreadCount: Int
    /// The time of the last activity, by which the list is sorted.
    public let activeAt: Timestamp

    /// Writes the room with `lastMessage`, `lastReadSeq` and `unreadCount`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            room.writeMembers(to: &writer)
            if let lastMessage { writer.member("lastMessage", lastMessage) }
            writer.member("lastReadSeq", lastReadSeq)
            writer.member("unreadCount", Int64(unreadCount))
        }
    }
}

/// A user's access to a room.
public struct RoomAccess: Equatable, Sendable {
    public let room: Room
    /// The user's role; `nil` for a non-member.
    public let role: MemberRole?

    /// Whether a user may read the room; others get the same errors as for a room that does not exist. The installation
    /// may read every room.
    public func isVisible(for userID: UserID?) -> Bool {
        role != nil || room.type == .public || userID == .installation
    }
}

/// Rooms and members as rows. Columns are read by position, in this order.
extension Room {
    /// The columns of a room, in a statement with ``head``.
    static let columns = columns(name: "rooms.name")
    /// The columns of a room that has no events yet.
    static let newColumns = columns(name: "rooms.name", head: EventMark.noColumns)
    static let columnCount = 8 + EventMark.columnCount
    /// The join of the last event of each of `rooms`.
    static let head = EventMark.join("head", room: "rooms.room_id", seq: "rooms.last_seq")

    /// The columns for a user: the name of a `direct` room is the other member's display name, where that one is
    /// registered and not erased.
    /// - Parameter viewer: an SQL expression for the user's id.
    static func columns(seenBy viewer: String) -> String {
        columns(
            name: """
                CASE WHEN rooms.type = '\(RoomType.direct.rawValue)' THEN coalesce((
                    SELECT nullif(users.display_name, '') FROM room_members AS other
                    JOIN users ON users.user_id = other.user_id
                    WHERE other.room_id = rooms.room_id AND other.user_id <> \(viewer) LIMIT 1
                ), rooms.name) ELSE rooms.name END
                """)
    }

    private static func columns(name: String, head: String = EventMark.columns(of: "head")) -> String {
        """
        rooms.room_id, \(name), rooms.type, rooms.owner_id, rooms.member_count, rooms.last_seq, rooms.created_at,
        rooms.archived_at, \(head)
        """
    }

    init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
        let roomID = RoomID(verified: try row.decode(column: column))
        let lastSeq = try row.decode(column: column + 5, as: Seq.self)
        self.init(
            roomID: roomID,
            name: try row.decode(column: column + 1),
            type: try row.enumValue(column: column + 2),
            ownerID: try row.optionalUserID(column: column + 3),
            memberCount: try row.decode(column: column + 4),
            lastSeq: lastSeq,
            mark: try EventMark(row, from: column + 8, of: roomID, seq: lastSeq),
            createdAt: try row.timestamp(column: column + 6),
            archivedAt: try row.optionalTimestamp(column: column + 7))
    }
}

extension RoomMember {
    static let columns = """
        room_members.user_id, room_members.role, \(StoredMark.sql(of: "room_members")), room_members.joined_at
        """

    init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
        self.init(
            userID: try row.userID(column: column),
            role: try row.enumValue(column: column + 1),
            lastReadSeq: try row.decode(column: column + 2),
            joinedAt: try row.timestamp(column: column + 3))
    }

    /// - Returns: `nil` if an outer join found no member.
    init?(optional row: PostgresRow, from column: Int) throws(PostgresError) {
        guard try row.optionalUserID(column: column) != nil else { return nil }
        try self.init(row, from: column)
    }
}

extension RoomAccess {
    static let columns = "\(Room.columns), room_members.role"
    static let columnCount = Room.columnCount + 1

    init(_ row: PostgresRow) throws(PostgresError) {
        self.init(room: try Room(row), role: try row.optionalEnumValue(column: Room.columnCount))
    }
}
