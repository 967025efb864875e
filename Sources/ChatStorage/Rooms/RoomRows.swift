import ChatEvents
import CommonUtil
import PostgresClient

/// How rooms and members stand in rows. Columns are read by position, in this order.
extension Room {
    static let columns = columns(name: "rooms.name")
    static let columnCount = 8

    /// The columns as a user sees them: a `direct` room is called like the other one in it, where that one is registered.
    /// - Parameter viewer: an expression.
    static func columns(seenBy viewer: String) -> String {
        columns(
            name: """
                CASE WHEN rooms.type = '\(RoomType.direct.rawValue)' THEN coalesce((
                    SELECT users.display_name FROM room_members AS other
                    JOIN users ON users.user_id = other.user_id
                    WHERE other.room_id = rooms.room_id AND other.user_id <> \(viewer) LIMIT 1
                ), rooms.name) ELSE rooms.name END
                """)
    }

    private static func columns(name: String) -> String {
        """
        rooms.room_id, \(name), rooms.type, rooms.owner_id, rooms.member_count, rooms.last_seq, rooms.created_at,
        rooms.archived_at
        """
    }

    init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
        self.init(
            roomID: RoomID(verified: try row.decode(column: column)),
            name: try row.decode(column: column + 1),
            type: try row.enumValue(column: column + 2),
            ownerID: try row.optionalUserID(column: column + 3),
            memberCount: try row.decode(column: column + 4),
            lastSeq: try row.decode(column: column + 5),
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

    /// - Returns: `nil` where an outer join found no member.
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
