import CommonUtil
import PostgresClient

/// How many rooms a user may be in, and how many members a room may have; 0 = any number. Checked in the transaction
/// that adds the members.
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

    /// To be called before these users are added to one more room, in the same transaction.
    /// - Throws: `too_many_rooms`.
    func checkRooms(of userIDs: [UserID], _ transaction: PostgresTransaction) async throws {
        guard countsRooms, !userIDs.isEmpty else { return }
        let ids = PostgresParameter.int8Array(userIDs.map(\.rawValue))
        var most = try await mostRooms(of: ids, transaction)
        if most < roomsPerUser, most >= roomsPerUser - Self.margin {
            _ = try await transaction.query(Self.lock, ids, .int8(Self.stripes))
            // A new statement sees what those committed who had the lock before.
            most = try await mostRooms(of: ids, transaction)
        }
        guard most < roomsPerUser else {
            throw ChatError(.tooManyRooms, "A user is in at most \(roomsPerUser) rooms")
        }
    }

    private func mostRooms(of ids: PostgresParameter, _ transaction: PostgresTransaction) async throws -> Int {
        try await transaction.query(Self.countRooms, ids, .int8(roomsPerUser)).first
            .map { try $0.decode(column: 0, as: Int.self) } ?? 0
    }

    /// Of each user no more are counted than matter.
    private static let countRooms = PostgresStatement(
        """
        SELECT coalesce(max(counted.count), 0) FROM unnest($1::bigint[]) AS asked (user_id)
        CROSS JOIN LATERAL (
            SELECT count(*) FROM (
                SELECT FROM room_members WHERE user_id = asked.user_id LIMIT $2
            ) AS rooms
        ) AS counted
        """)
    /// In order, so that two who want several do not wait for each other. The first key is these locks' own.
    private static let lock = PostgresStatement(
        """
        SELECT pg_advisory_xact_lock(7265, stripe) FROM (
            SELECT DISTINCT (user_id % $2)::integer AS stripe FROM unnest($1::bigint[]) AS user_id ORDER BY 1
        ) AS stripes
        """)
}
