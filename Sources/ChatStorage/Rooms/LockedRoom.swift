import ChatEvents
import CommonUtil
import PostgresClient

/// A room whose row this transaction has locked. Members, roles, name, archive state and stored messages of a room
/// change only here. Each change takes the next `seq`, so that changes and posts have one order.
public struct LockedRoom: Sendable {
    /// The room, with the changes so far.
    public private(set) var room: Room
    /// The time at which the lock was given, which is the time of this transaction's events.
    public let now: Timestamp
    /// The events of the changes so far; the caller publishes them after the commit.
    public private(set) var events: [RoomEvent] = []
    /// Whose memberships have changed so far. Their versions are raised at the end of the transaction.
    private(set) var membershipChanges: [MembershipChange] = []

    let limits: RoomLimits
    let transaction: PostgresTransaction

    init(room: Room, now: Timestamp, limits: RoomLimits, transaction: PostgresTransaction) {
        self.room = room
        self.now = now
        self.limits = limits
        self.transaction = transaction
    }

    // MARK: Reading under the lock

    /// A member of the room; `nil` for a non-member.
    public func member(_ userID: UserID) async throws -> RoomMember? {
        try await transaction.query(Self.selectMember, .text(room.roomID.rawValue), .int8(userID.rawValue)).first
            .map { try RoomMember($0) }
    }

    /// The member in whose name the room is changed; `nil` for a non-member. The installation acts as an owner and is never
    /// a member.
    public func actor(_ userID: UserID) async throws -> RoomMember? {
        guard userID.isInstallation else { return try await member(userID) }
        return RoomMember(userID: userID, role: .owner, lastReadSeq: 0, joinedAt: now)
    }

    /// Whether a non-member has left by their own choice, and so must not be added by others.
    public func hasLeft(_ userID: UserID) async throws -> Bool {
        try await transaction.query(Self.selectFormer, .text(room.roomID.rawValue), .int8(userID.rawValue)).first
            .map { try $0.decode(column: 0, as: Bool.self) } ?? false
    }

    /// Whether a user's `whoMayAdd` allows another user to add them.
    public func mayAdd(_ userID: UserID, by actorID: UserID) async throws -> Bool {
        try await transaction.query(
            UserRepository.selectNotAddable, .int8Array([userID.rawValue]), .int8(actorID.rawValue)
        ).isEmpty
    }

    /// The next owner when the owner leaves: the admin with the longest membership, else the member with the longest
    /// membership who has posted. Members who were only added do not become owners.
    public func successor(of ownerID: UserID) async throws -> UserID? {
        for statement in [Self.selectSeniorAdmin, Self.selectSeniorAuthor] {
            let row = try await transaction.query(statement, .text(room.roomID.rawValue), .int8(ownerID.rawValue)).first
            if let row { return try row.userID(column: 0) }
        }
        return nil
    }

    // MARK: Changing

    /// Adds a member.
    /// - Throws: `room_full`, `too_many_rooms`.
    public mutating func join(_ userID: UserID, as role: MemberRole, by actorID: UserID) async throws {
        try limits.checkMembers(room.memberCount + 1)
        try await limits.checkRooms(of: actorID, adding: room.roomID, transaction)
        let addedBy = actorID == userID ? nil : actorID
        try await append(
            .memberJoined(userID, role: role, by: actorID, at: now), by: actorID, Self.insertMember,
            [.int8(userID.rawValue), .text(role.rawValue), .int8(addedBy?.rawValue)], memberCountChange: 1)
        membershipChanges.append(MembershipChange(userID: userID, joinedAt: room.lastSeq))
    }

    /// Removes a member; where it is `actorID` itself, the member has left.
    public mutating func leave(_ userID: UserID, by actorID: UserID) async throws {
        try await append(
            .memberLeft(userID, by: actorID, at: now), by: actorID, Self.deleteMember,
            [.int8(userID.rawValue), .bool(userID == actorID)], memberCountChange: -1)
        membershipChanges.append(MembershipChange(userID: userID, joinedAt: nil))
    }

    /// Changes a member's role.
    public mutating func setRole(_ role: MemberRole, of userID: UserID, by actorID: UserID) async throws {
        try await append(
            .memberRoleChanged(userID, role: role, by: actorID, at: now), by: actorID,
            Self.updateRole, [.int8(userID.rawValue), .text(role.rawValue)])
    }

    /// Renames the room.
    public mutating func rename(to name: String, by actorID: UserID) async throws {
        try await append(
            .roomUpdated(name: name, by: actorID, at: now), by: actorID, Self.updateName, [.text(name)])
        guard room.type == .public else { return }
        _ = try await transaction.batch(NameSuffixes.replaceForRoom(room.roomID, name: name))
    }

    /// Archives the room, for good.
    public mutating func archive(by actorID: UserID) async throws {
        try await append(
            .roomArchived(name: room.name, by: actorID, at: now), by: actorID,
            Self.updateArchived, [.timestamptz(now)])
        guard room.type == .public else { return }
        _ = try await transaction.batch([NameSuffixes.removeForRoom(room.roomID)])
    }

    /// Sets the owner. This is no event of its own: it comes with a change of roles.
    public mutating func setOwner(_ userID: UserID?) async throws {
        _ = try await transaction.query(Self.updateOwner, .text(room.roomID.rawValue), .int8(userID?.rawValue))
        room = room.changed(ownerID: .some(userID))
    }

    /// Makes a change and appends its event to the log, in one round trip.
    /// - Parameters:
    ///   - parameters: of the statement, after the room's id.
    ///   - isActivity: whether the room moves up in its members' lists.
    mutating func append(
        _ change: RoomChange, by actorID: UserID, _ statement: PostgresStatement, _ parameters: [PostgresParameter],
        memberCountChange: Int = 0, isActivity: Bool = true
    ) async throws {
        let event = RoomEvent(roomID: room.roomID, seq: room.lastSeq + 1, change: change)
        let roomID = PostgresParameter.text(room.roomID.rawValue)
        _ = try await transaction.batch([
            PostgresCommand(statement, [roomID] + parameters),
            PostgresCommand(
                Self.advance, roomID, .int8(event.seq),
                .timestamptz(microsecondsSinceEpoch: isActivity ? now.microseconds : nil), .int8(memberCountChange)),
            PostgresCommand(EventLog.insert, EventLog.parameters(for: event, by: actorID, at: now)),
        ])
        record(event)
    }

    /// Notes an event that is stored.
    mutating func record(_ event: RoomEvent) {
        room = room.changed(by: event)
        events.append(event)
    }

    /// Notes that the membership of a user has changed.
    mutating func noteMembership(_ change: MembershipChange) { membershipChanges.append(change) }

    static let selectMember = PostgresStatement(
        "SELECT \(RoomMember.columns) FROM room_members WHERE room_id = $1 AND user_id = $2")
    private static let selectFormer = PostgresStatement(
        "SELECT has_left FROM former_members WHERE room_id = $1 AND user_id = $2")
    private static let selectSeniorAdmin = PostgresStatement(
        """
        SELECT user_id FROM room_members WHERE room_id = $1 AND user_id <> $2 AND role = 'admin'
        ORDER BY joined_at, user_id LIMIT 1
        """)
    // Reads one index of the room's messages, whatever their number: rather this, when an owner leaves, than a write at
    // each post. Deleted messages do not count.
    private static let selectSeniorAuthor = PostgresStatement(
        """
        SELECT members.user_id
        FROM (
            SELECT DISTINCT sender_id FROM messages WHERE room_id = $1 AND NOT is_deleted
        ) AS authors
        CROSS JOIN LATERAL (
            SELECT user_id, joined_at FROM room_members
            WHERE room_id = $1 AND user_id = authors.sender_id AND user_id <> $2 LIMIT 1
        ) AS members
        ORDER BY members.joined_at, members.user_id LIMIT 1
        """)
    // A member who comes back keeps the read mark.
    private static let insertMember = PostgresStatement(
        """
        WITH former AS (
            DELETE FROM former_members WHERE room_id = $1 AND user_id = $2 RETURNING last_read_seq
        )
        INSERT INTO room_members (room_id, user_id, role, added_by, last_read_seq, joined_at, joined_seq)
        SELECT $1, $2, $3, $4, coalesce((SELECT last_read_seq FROM former), 0), clock_timestamp(), last_seq
        FROM rooms WHERE room_id = $1
        """)
    // The row also tells lists of rooms what they lost (``RoomListRepository``).
    private static let deleteMember = PostgresStatement(
        """
        WITH gone AS (DELETE FROM room_members WHERE room_id = $1 AND user_id = $2 RETURNING *)
        INSERT INTO former_members (room_id, user_id, last_read_seq, has_left)
        SELECT room_id, user_id, \(StoredMark.sql(of: "gone")), $3 FROM gone
        """)
    private static let updateRole = PostgresStatement(
        "UPDATE room_members SET role = $3 WHERE room_id = $1 AND user_id = $2")
    private static let updateName = PostgresStatement("UPDATE rooms SET name = $2 WHERE room_id = $1")
    // A pair whose `direct` room is archived can make a new one: an archived room stays archived.
    private static let updateArchived = PostgresStatement(
        "UPDATE rooms SET archived_at = $2, direct_key = NULL WHERE room_id = $1")
    private static let updateOwner = PostgresStatement("UPDATE rooms SET owner_id = $2 WHERE room_id = $1")
    static let advance = PostgresStatement(
        """
        UPDATE rooms SET last_seq = $2, active_at = coalesce($3, active_at),
            member_count = member_count + $4::bigint::integer
        WHERE room_id = $1
        """)
}

extension Room {
    /// The room after an event of its log.
    fileprivate func changed(by event: RoomEvent) -> Room {
        switch event.change {
        case .memberJoined: changed(memberCount: memberCount + 1, last: event)
        case .memberLeft: changed(memberCount: memberCount - 1, last: event)
        case .roomUpdated(let name, _, _): changed(name: name, last: event)
        case .roomArchived(_, _, let at): changed(last: event, archivedAt: at)
        case .memberRoleChanged, .message, .messageEdited, .messageDeleted: changed(last: event)
        }
    }

    fileprivate func changed(
        name: String? = nil, ownerID: UserID?? = nil, memberCount: Int? = nil, last: RoomEvent? = nil,
        archivedAt: Timestamp? = nil
    ) -> Room {
        Room(
            roomID: roomID, name: name ?? self.name, type: type, ownerID: ownerID ?? self.ownerID,
            memberCount: memberCount ?? self.memberCount, lastSeq: last?.seq ?? lastSeq, mark: last?.mark ?? mark,
            createdAt: createdAt, archivedAt: archivedAt ?? self.archivedAt)
    }
}

/// A change of a user's memberships in a transaction that has not raised the user's version yet.
struct MembershipChange: Sendable {
    let userID: UserID
    /// The `seq` of the `member_joined` event; `nil` if the user has left.
    let joinedAt: Seq?
}
