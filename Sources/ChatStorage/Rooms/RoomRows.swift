import ChatEvents
import CommonUtil
import PostgresClient

/// How rooms and members stand in rows. Columns are read by position, in this order.
extension Room {
    static let columns = """
        rooms.room_id, rooms.name, rooms.type, rooms.owner_id, rooms.member_count, rooms.last_seq, rooms.created_at,
        rooms.archived_at
        """
    static let columnCount = 8

    init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
        self.init(
            roomID: RoomID(verified: try row.decode(column: column)),
            name: try row.decode(column: column + 1),
            type: try row.word(column: column + 2),
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

    init(_ row: PostgresRow) throws(PostgresError) {
        self.init(
            userID: try row.userID(column: 0),
            role: try row.word(column: 1),
            lastReadSeq: try row.decode(column: 2),
            joinedAt: try row.timestamp(column: 3))
    }
}

extension RoomAccess {
    static let columns = "\(Room.columns), room_members.role"
    static let columnCount = Room.columnCount + 1

    init(_ row: PostgresRow) throws(PostgresError) {
        let role = try row.decode(column: Room.columnCount, as: String?.self)
        self.init(room: try Room(row), role: role.flatMap(MemberRole.init(rawValue:)))
    }
}
