import ChatEvents
import CommonUtil
import PostgresClient

/// A query for a user's access to a room's log.
public struct RoomAccessQuery: Equatable, Sendable {
    public let roomID: RoomID
    /// `nil` for a client without a user.
    public let userID: UserID?
    /// The event up to which the client has the log.
    public let lastSeq: Seq?
    /// The event up to which this server has the log.
    public let position: Seq?

    /// Describes an inquiry.
    public init(roomID: RoomID, userID: UserID?, lastSeq: Seq? = nil, position: Seq? = nil) {
        self.roomID = roomID
        self.userID = userID
        self.lastSeq = lastSeq
        self.position = position
    }
}

/// A user's access to a room, and which log it is, as of one moment. The mark at the head is the room's.
public struct RoomAdmission: Equatable, Sendable {
    public let access: RoomAccess
    /// The mark at the inquiry's `lastSeq`; `nil` if the log has no such event.
    public let lastMark: EventMark?
    /// The mark at the inquiry's `position`; `nil` if the log has no such event.
    public let positionMark: EventMark?
}

extension RoomRepository {
    /// Reads what is asked about many rooms, in one statement.
    /// - Returns: in the order of `asked`; `nil` if there is no such room.
    public func admissions(_ asked: [RoomAccessQuery]) async throws -> [RoomAdmission?] {
        guard !asked.isEmpty else { return [] }
        let rows = try await database.query(
            Self.selectAdmissions, .textArray(asked.map(\.roomID.rawValue)),
            .int8Array(asked.map { $0.userID?.rawValue }), .int8Array(asked.map(\.lastSeq)),
            .int8Array(asked.map(\.position)))
        var admissions = [RoomAdmission?](repeating: nil, count: asked.count)
        for row in rows {
            let access = try RoomAccess(row)
            let ordinal = try row.decode(column: RoomAccess.columnCount, as: Int.self)
            let inquiry = asked[ordinal - 1]
            func mark(at seq: Seq?, from column: Int) throws(PostgresError) -> EventMark? {
                guard let seq else { return nil }
                if seq == access.room.lastSeq { return access.room.mark }
                return try EventMark(row, from: column, of: inquiry.roomID, seq: seq)
            }
            let column = RoomAccess.columnCount + 1
            admissions[ordinal - 1] = RoomAdmission(
                access: access, lastMark: try mark(at: inquiry.lastSeq, from: column),
                positionMark: try mark(at: inquiry.position, from: column + EventMark.columnCount))
        }
        return admissions
    }

    // Lateral with a limit, so that each stays a lookup by key under any statistics.
    private static let selectAdmissions = PostgresStatement(
        """
        SELECT \(RoomAccess.columns), asked.ordinal, \(EventMark.columns(of: "last")),
            \(EventMark.columns(of: "position"))
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
            WITH ORDINALITY AS asked (room_id, user_id, last_seq, position, ordinal)
        CROSS JOIN LATERAL (SELECT * FROM rooms WHERE room_id = asked.room_id LIMIT 1) AS rooms
        LEFT JOIN LATERAL (
            SELECT role FROM room_members WHERE room_id = asked.room_id AND user_id = asked.user_id LIMIT 1
        ) AS room_members ON true
        \(Room.head)
        \(EventMark.join("last", room: "asked.room_id", seq: "nullif(asked.last_seq, rooms.last_seq)"))
        \(EventMark.join("position", room: "asked.room_id", seq: "nullif(asked.position, rooms.last_seq)"))
        """)
}
