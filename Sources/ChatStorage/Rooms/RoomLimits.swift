import CommonUtil
import PostgresClient

/// Limits on the rooms of a user and on the members of a room; 0 is no limit. Checked in the transaction that adds the
/// members.
public struct RoomLimits: Sendable {
    /// No limits.
    public static let none = RoomLimits(roomsPerUser: 0, membersPerRoom: 0)

    /// At this distance from the limit no lock is needed: no more transactions than this can run for a user at once.
    private static let margin = 256
    /// Near the limit, users whose ids are equal modulo this number share a lock.
    private static let stripes = 128

    let roomsPerUser: Int
    let membersPerRoom: Int

    /// - Parameters:
    ///   - roomsPerUser: `CHAT_LIMIT_ROOMS_PER_USER`.
    ///   - membersPerRoom: `CHAT_LIMIT_MEMBERS_PER_ROOM`.
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

    /// Checks the limit before `userID` makes or joins a room or adds somebody to it, in the same transaction.
    ///
    /// A room counts against the user who made it, joined it or added members to it: once, and for as long as such a
    /// membership lasts. Being added by others does not count. What the installation makes counts against nobody.
    /// - Throws: `too_many_rooms`.
    func checkRooms(of userID: UserID, adding roomID: RoomID, _ transaction: PostgresTransaction) async throws {
        guard countsRooms, !userID.isInstallation else { return }
        var held = try await held(by: userID, roomID, transaction)
        if !held.isIncluded, held.count < roomsPerUser, held.count >= roomsPerUser - Self.margin {
            _ = try await transaction.query(Self.lock, .int8(userID.rawValue), .int8(Self.stripes))
            // A new statement sees what the previous holders of the lock committed.
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

    // Counts at most `roomsPerUser` rows. Only where there are as many memberships as rooms are allowed, since one room
    // may have several, distinct rooms are counted, by skipping from each to the next in the index.
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
    // The first key of the advisory lock is reserved for these limits.
    private static let lock = PostgresStatement("SELECT pg_advisory_xact_lock(7265, ($1 % $2)::integer)")
}
