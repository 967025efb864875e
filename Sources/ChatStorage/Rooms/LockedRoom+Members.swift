import ChatEvents
import CommonUtil
import PostgresClient

/// The changes that turn the members of a room into those of a list: joins, role changes and removals. Pure.
public struct MembershipPlan: Equatable, Sendable {
    /// In the order of user ids, so that the same list makes the same events.
    public let joining: [(userID: UserID, role: MemberRole)]
    /// Members whose role is to change, with the new role, by user id.
    public let changing: [(userID: UserID, role: MemberRole)]
    /// Members to remove, by user id.
    public let leaving: [UserID]

    /// Compares the present members with the wanted ones.
    public init(from present: [UserID: MemberRole], to wanted: [UserID: MemberRole]) {
        let sorted = wanted.sorted { $0.key < $1.key }
        joining = sorted.filter { present[$0.key] == nil }.map { ($0.key, $0.value) }
        changing = sorted.filter { member in present[member.key].map { $0 != member.value } ?? false }
            .map { ($0.key, $0.value) }
        leaving = present.keys.filter { wanted[$0] == nil }.sorted()
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.joining.elementsEqual(b.joining) { $0 == $1 } && a.changing.elementsEqual(b.changing) { $0 == $1 }
            && a.leaving == b.leaving
    }
}

/// All members of a room at once, for a backend that knows who they are.
extension LockedRoom {
    /// All members and their roles.
    public func members() async throws -> [UserID: MemberRole] {
        let rows = try await transaction.query(Self.selectAll, .text(room.roomID.rawValue))
        return Dictionary(
            try rows.map { (try $0.userID(column: 0), try $0.enumValue(column: 1)) }, uniquingKeysWith: { $1 })
    }

    /// The first guest among these users.
    public func firstGuest(of userIDs: [UserID]) async throws -> UserID? {
        try await transaction.query(GuestRepository.selectFirst, .int8Array(userIDs.map(\.rawValue))).first?
            .userID(column: 0)
    }

    /// Carries out a plan: an event for each change, in the order of the plan, by a few statements whatever their number.
    /// Neither `whoMayAdd` nor who left before matters.
    /// - Throws: `room_full`.
    public mutating func apply(_ plan: MembershipPlan, by actorID: UserID) async throws {
        try limits.checkMembers(room.memberCount + plan.joining.count - plan.leaving.count)
        let firstSeq = room.lastSeq + 1
        let changes =
            plan.joining.map { RoomChange.memberJoined($0.userID, role: $0.role, by: actorID, at: now) }
            + plan.changing.map { .memberRoleChanged($0.userID, role: $0.role, by: actorID, at: now) }
            + plan.leaving.map { .memberLeft($0, by: actorID, at: now) }
        guard !changes.isEmpty else { return }
        let roomID = PostgresParameter.text(room.roomID.rawValue)
        let users = (plan.joining + plan.changing).map(\.userID) + plan.leaving
        let roles: [String?] =
            (plan.joining + plan.changing).map { Optional($0.role.rawValue) } + plan.leaving.map { _ in nil }
        _ = try await transaction.batch([
            PostgresCommand(
                Self.insertAll, roomID, .int8Array(plan.joining.map(\.userID.rawValue)),
                .textArray(plan.joining.map(\.role.rawValue)), .int8(actorID.rawValue), .int8(room.lastSeq)),
            PostgresCommand(
                Self.updateRoles, roomID, .int8Array(plan.changing.map(\.userID.rawValue)),
                .textArray(plan.changing.map(\.role.rawValue))),
            PostgresCommand(Self.deleteAll, roomID, .int8Array(plan.leaving.map(\.rawValue))),
            PostgresCommand(
                Self.advance, roomID, .int8(room.lastSeq + Int64(changes.count)), .timestamptz(now),
                .int8(plan.joining.count - plan.leaving.count)),
            PostgresCommand(
                Self.insertEvents, roomID, .int8(firstSeq), .textArray(changes.map(\.type.rawValue)),
                .int8(actorID.rawValue), .timestamptz(now), .int8Array(users.map(\.rawValue)), .textArray(roles)),
        ])
        for change in changes {
            record(RoomEvent(roomID: room.roomID, seq: room.lastSeq + 1, change: change))
            switch change {
            case .memberJoined(let userID, _, _, _):
                noteMembership(MembershipChange(userID: userID, joinedAt: room.lastSeq))
            case .memberLeft(let userID, _, _): noteMembership(MembershipChange(userID: userID, joinedAt: nil))
            default: break
            }
        }
    }

    private static let selectAll = PostgresStatement("SELECT user_id, role FROM room_members WHERE room_id = $1")
    // A member who comes back keeps the read mark. `joined_seq` is that of the event before.
    private static let insertAll = PostgresStatement(
        """
        WITH joining AS (
            SELECT user_id, role, $5::bigint + ordinal - 1 AS joined_seq
            FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS joining (user_id, role, ordinal)
        ), former AS (
            DELETE FROM former_members WHERE room_id = $1 AND user_id = ANY ($2)
            RETURNING user_id, last_read_seq
        )
        INSERT INTO room_members (room_id, user_id, role, added_by, last_read_seq, joined_at, joined_seq)
        SELECT $1, joining.user_id, joining.role, $4, coalesce(former.last_read_seq, 0), clock_timestamp(),
            joining.joined_seq
        FROM joining LEFT JOIN former ON former.user_id = joining.user_id
        """)
    private static let updateRoles = PostgresStatement(
        """
        UPDATE room_members SET role = changing.role
        FROM unnest($2::bigint[], $3::text[]) AS changing (user_id, role)
        WHERE room_members.room_id = $1 AND room_members.user_id = changing.user_id
        """)
    // Lists of rooms find by these rows what they lost (``RoomListRepository``).
    private static let deleteAll = PostgresStatement(
        """
        WITH gone AS (DELETE FROM room_members WHERE room_id = $1 AND user_id = ANY ($2) RETURNING *)
        INSERT INTO former_members (room_id, user_id, last_read_seq, has_left)
        SELECT room_id, user_id, \(StoredMark.sql(of: "gone")), false FROM gone
        """)
    private static let insertEvents = PostgresStatement(
        """
        INSERT INTO room_events (room_id, seq, type, actor_id, at, user_id, role)
        SELECT $1, $2::bigint + ordinal - 1, type, $4, $5, user_id, role
        FROM unnest($3::text[], $6::bigint[], $7::text[]) WITH ORDINALITY AS events (type, user_id, role, ordinal)
        """)
}
