import CommonUtil
import PostgresClient

/// How many rooms a user may have, and how many members a room may have; 0 = any number. Checked in the transaction that
/// adds the members.
public struct RoomLimits: Sendable {
    public static let none = RoomLimits(roomsPerUser: 0, membersPerRoom: 0)

    /// This far from the limit nobody is in anyone's way: no more transactions than this can be under way for a user.
    private static let margin = 256
    /// Close to the limit, users whose ids are the same modulo this number wait for each other.
    private static let stripes = 128

    let roomsPerUser: Int
    let membersPerRoom: Int

    public init(roomsPerUser: Int, membersPerRoom: Int) {
        self.roomsPerUser = roomsPerUser
        self.membersPerRoom = membersPerRoom
    }

    var countsRooms: Bool { roomsPerUser > 0 }

    /// - Throws: `room_full`.
    func checkMembers(_ count: Int) throws(ChatError) {
        guard membersPerRoom == 0 || count <= membersPerRoom else {
            throw ChatError(.roomFull, "A room has at most \(membersPerRoom) members")
        }
    }

    /// To be called before `userID` makes, joins or adds somebody to a room, in the same transaction.
    ///
    /// A room counts once for each user whose doing it is that somebody is in it: who made it, joined it or added others.
    /// So nobody's rooms are used up by others, and who leaves others behind in rooms has these rooms all the same.
    /// - Throws: `too_many_rooms`.
    func checkRooms(of userID: UserID, adding roomID: RoomID, _ transaction: PostgresTransaction) async throws {
        guard countsRooms else { return }
        var held = try await held(by: userID, roomID, transaction)
        if !held.isIncluded, held.count < roomsPerUser, held.count >= roomsPerUser - Self.margin {
            _ = try await transaction.query(Self.lock, .int8(userID.rawValue), .int8(Self.stripes))
            // A new statement sees what those committed who had the lock before.
            held = try await self.held(by: userID, roomID, transaction)
        }
        guard held.isIncluded || held.count < roomsPerUser else {
            throw ChatError(.tooManyRooms, "A user is in at most \(roomsPerUser) rooms")
        }
    }

    private func held(
        by userID: UserID, _ roomID: RoomID, _ transaction: PostgresTransaction
    ) async throws -> (count: Int, isIncluded: Bool) {
        let row = try await transaction.query(
            Self.countRooms, .int8(userID.rawValue), .int8(roomsPerUser), .text(roomID.rawValue)
        ).first
        return try row?.decode(Int.self, Bool.self) ?? (0, false)
    }

    /// No more are counted than matter. Only where there are as many memberships as there may be rooms, because others
    /// were added to them, the rooms are told apart, by skipping from each to the next in the index.
    private static let countRooms = PostgresStatement(
        """
        SELECT
            CASE WHEN memberships.count < $2 THEN memberships.count ELSE (
                WITH RECURSIVE held AS (
                    (SELECT room_id FROM room_members WHERE coalesce(added_by, user_id) = $1
                    ORDER BY room_id LIMIT 1)
                    UNION ALL
                    SELECT (SELECT room_id FROM room_members
                        WHERE coalesce(added_by, user_id) = $1 AND room_id > held.room_id
                        ORDER BY room_id LIMIT 1)
                    FROM held WHERE held.room_id IS NOT NULL
                )
                SELECT count(*) FROM (SELECT FROM held WHERE room_id IS NOT NULL LIMIT $2) AS rooms
            ) END,
            EXISTS (SELECT FROM room_members WHERE coalesce(added_by, user_id) = $1 AND room_id = $3)
        FROM (
            SELECT count(*) FROM (
                SELECT FROM room_members WHERE coalesce(added_by, user_id) = $1 LIMIT $2
            ) AS rows
        ) AS memberships
        """)
    /// The first key is these locks' own.
    private static let lock = PostgresStatement("SELECT pg_advisory_xact_lock(7265, ($1 % $2)::integer)")
}
