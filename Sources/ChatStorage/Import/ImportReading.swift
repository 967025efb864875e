import ChatEvents
import CommonUtil
import PostgresClient

/// Reads the stored users, rooms, members and messages that the lines of a batch refer to: two round trips, and each
/// lookup is by key.
///
/// What is written later is locked, the rooms first: so it stays as it was read.
struct ImportReading {
    /// Those of user and member lines.
    private var externalIDs: Set<ExternalID> = []
    private var senderIDs: Set<ExternalID> = []
    /// Those of user lines, who are made where they are not there.
    private var wantedIDs: Set<ExternalID> = []
    /// Users that member lines name by id.
    private var memberIDs: Set<UserID> = []
    /// All users that are named by id.
    private var userIDs: Set<UserID> = []
    private var usernames: Set<String> = []
    private var roomIDs: Set<RoomID> = []
    /// Users in their rooms, and whether the read mark matters.
    private var members: [(roomID: RoomID, user: UserReference, needsMark: Bool)] = []
    /// Imported messages, and whether they are the targets of replies.
    private var messages: [ImportState.MessageKey: Bool] = [:]

    init(_ lines: [ImportLine]) {
        for line in lines { add(line) }
    }

    private mutating func add(_ line: ImportLine) {
        switch line {
        case .user(let user):
            externalIDs.insert(user.externalID)
            wantedIDs.insert(user.externalID)
            if let username = user.username { usernames.insert(username) }
        case .room(let room):
            roomIDs.insert(room.roomID)
        case .member(let member):
            roomIDs.insert(member.roomID)
            switch member.user {
            case .external(let externalID): externalIDs.insert(externalID)
            case .id(let userID):
                memberIDs.insert(userID)
                userIDs.insert(userID)
            }
            members.append((member.roomID, member.user, member.read != nil))
        case .message(let message):
            roomIDs.insert(message.roomID)
            switch message.sender {
            case .external(let externalID): senderIDs.insert(externalID)
            case .id(let userID): userIDs.insert(userID)
            }
            members.append((message.roomID, message.sender, false))
            let key = ImportState.MessageKey(message.roomID, message.importID)
            messages[key] = messages[key] ?? false
            if let target = message.replyToImportID { messages[.init(message.roomID, target)] = true }
        }
    }

    /// Locks the rooms and the users, and reads.
    func state(_ transaction: PostgresTransaction) async throws -> ImportState {
        let roomIDs = PostgresParameter.textArray(roomIDs.map(\.rawValue).sorted())
        let externalIDs = PostgresParameter.textArray(externalIDs.map(\.rawValue))
        let found = try await transaction.batch([
            // Statements of their own: the next ones see what the locks' last holders committed.
            PostgresCommand(Self.lockRooms, roomIDs),
            PostgresCommand(Self.selectRooms, roomIDs),
            PostgresCommand(Self.lockUsers, externalIDs, .int8Array(memberIDs.map(\.rawValue))),
            PostgresCommand(Self.selectUsers, externalIDs),
            PostgresCommand(Self.selectSenders, .textArray(senderIDs.subtracting(self.externalIDs).map(\.rawValue))),
            PostgresCommand(Self.selectRegistered, .int8Array(userIDs.map(\.rawValue))),
            PostgresCommand(Self.selectHolders, .textArray(Array(usernames))),
        ])
        var state = ImportState(now: .now)
        for row in found[1] { state.rooms[RoomID(verified: try row.decode(column: 0))] = try Self.room(row) }
        for row in [found[3], found[4]].joined() {
            let user = try Self.user(row)
            state.users[ExternalID(verified: try row.decode(column: 1))] = user
            if let username = user.username { state.holders[username] = user.userID }
        }
        for row in found[5] { state.isGuest[try row.userID(column: 0)] = try row.decode(column: 1) }
        for row in found[6] { state.holders[try row.decode(column: 0)] = try row.userID(column: 1) }

        let members = memberKeys(state)
        let messages = Array(messages)
        let read = try await transaction.batch([
            PostgresCommand(Self.selectTime),
            PostgresCommand(Self.drawUserIDs, .int8(wantedIDs.count { state.users[$0] == nil })),
            PostgresCommand(
                Self.selectMembers, .textArray(members.map(\.key.roomID.rawValue)),
                .int8Array(members.map(\.key.userID.rawValue)), .boolArray(members.map(\.value))),
            PostgresCommand(
                Self.selectMessages, .textArray(messages.map(\.key.roomID.rawValue)),
                .textArray(messages.map(\.key.importID.text)), .boolArray(messages.map(\.value))),
        ])
        if let time = read[0].first { state.now = try time.timestamp(column: 0) }
        state.freeUserIDs = try read[1].map { try $0.userID(column: 0) }.reversed()
        for row in read[2] {
            let index = try row.decode(column: 0, as: Int.self) - 1
            state.members[members[index].key] = ImportState.Member(
                role: try row.enumValue(column: 1), mark: try row.decode(column: 2))
        }
        for row in read[3] {
            let index = try row.decode(column: 0, as: Int.self) - 1
            state.messages[messages[index].key] = ImportState.ImportedBefore(
                target: .stored(MessageID(try row.decode(column: 1))), lineHash: try row.decode(column: 2),
                isDeleted: try row.decode(column: 3, as: Bool?.self) ?? false)
        }
        return state
    }

    /// The members to read. Users who are not there yet are in no room.
    private func memberKeys(_ state: ImportState) -> [(key: ImportState.MemberKey, value: Bool)] {
        var keys: [ImportState.MemberKey: Bool] = [:]
        for member in members {
            let userID: UserID? =
                switch member.user {
                case .id(let userID): userID
                case .external(let externalID): state.users[externalID]?.userID
                }
            guard let userID, !userID.isInstallation else { continue }
            keys[.init(roomID: member.roomID, userID: userID), default: false] =
                keys[.init(roomID: member.roomID, userID: userID)] == true || member.needsMark
        }
        return Array(keys)
    }

    private static func user(_ row: PostgresRow) throws -> ImportState.User {
        ImportState.User(
            userID: try row.userID(column: 0), displayName: try row.decode(column: 2),
            username: try row.decode(column: 3), isDisabled: try row.decode(column: 4),
            createdAt: try row.timestamp(column: 5), isGuest: try row.decode(column: 6))
    }

    private static func room(_ row: PostgresRow) throws -> ImportState.Room {
        ImportState.Room(
            name: try row.decode(column: 1), type: try row.enumValue(column: 2),
            ownerID: try row.optionalUserID(column: 3), memberCount: try row.decode(column: 4),
            lastSeq: try row.decode(column: 5), createdAt: try row.timestamp(column: 6),
            isArchived: try row.decode(column: 7))
    }

    // In key order, whatever the users are named by. One who was erased while the rooms were waited for has no external id
    // any more.
    private static let lockUsers = PostgresStatement(
        """
        SELECT FROM users
        WHERE user_id = ANY (ARRAY(SELECT user_id FROM users WHERE external_id = ANY ($1)) || $2::bigint[])
        ORDER BY user_id FOR NO KEY UPDATE
        """)
    private static let userColumns =
        "user_id, external_id, display_name, username, is_disabled, created_at, guest_until IS NOT NULL"
    // Locks those, too, who were made while the others were waited for.
    private static let selectUsers = PostgresStatement(
        "SELECT \(userColumns) FROM users WHERE external_id = ANY ($1) ORDER BY user_id FOR NO KEY UPDATE")
    private static let selectSenders = PostgresStatement(
        "SELECT \(userColumns) FROM users WHERE external_id = ANY ($1)")
    private static let selectRegistered = PostgresStatement(
        "SELECT user_id, guest_until IS NOT NULL FROM users WHERE user_id = ANY ($1) AND erased_at IS NULL")
    private static let selectHolders = PostgresStatement(
        "SELECT username, user_id FROM users WHERE username = ANY ($1)")
    // In key order, as everybody locks rooms.
    private static let lockRooms = PostgresStatement(
        "SELECT FROM rooms WHERE room_id = ANY ($1) ORDER BY room_id FOR NO KEY UPDATE")
    private static let selectTime = PostgresStatement("SELECT clock_timestamp()")
    private static let drawUserIDs = PostgresStatement(
        "SELECT nextval('users_user_id_seq') FROM generate_series(1, $1::bigint)")
    // Locks those, too, that were made while the others were waited for.
    private static let selectRooms = PostgresStatement(
        """
        SELECT room_id, name, type, owner_id, member_count, last_seq, created_at, archived_at IS NOT NULL
        FROM rooms WHERE room_id = ANY ($1) ORDER BY room_id FOR NO KEY UPDATE
        """)
    // Lateral with a limit, so that each stays a lookup by key under any statistics.
    private static let selectMembers = PostgresStatement(
        """
        SELECT asked.ordinal, member.role,
            CASE WHEN asked.needs_mark THEN \(StoredMark.sql(of: "member", user: "asked.user_id"))
            ELSE member.last_read_seq END
        FROM unnest($1::text[], $2::bigint[], $3::boolean[])
            WITH ORDINALITY AS asked (room_id, user_id, needs_mark, ordinal)
        CROSS JOIN LATERAL (
            SELECT room_id, role, last_read_seq, joined_seq FROM room_members
            WHERE room_id = asked.room_id AND user_id = asked.user_id LIMIT 1
        ) AS member
        """)
    private static let selectMessages = PostgresStatement(
        """
        SELECT asked.ordinal, imported.message_id, imported.line_hash,
            CASE WHEN asked.is_target
                THEN (SELECT is_deleted FROM messages WHERE message_id = imported.message_id) END
        FROM unnest($1::text[], $2::text[], $3::boolean[])
            WITH ORDINALITY AS asked (room_id, import_id, is_target, ordinal)
        CROSS JOIN LATERAL (
            SELECT message_id, line_hash FROM imported_messages
            WHERE room_id = asked.room_id AND import_id = asked.import_id LIMIT 1
        ) AS imported
        """)
}
