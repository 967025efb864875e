import ChatEvents
import CommonUtil
import PostgresClient

/// Writes what a plan changes: one statement for each table, all in one round trip.
struct ImportWriting {
    let plan: ImportPlan
    let run: ImportRun

    func write(_ transaction: PostgresTransaction) async throws -> ImportRepository.Committed {
        var messageIDs: [MessageID] = []
        if !plan.messages.isEmpty {
            messageIDs = try await transaction.query(Self.drawMessageIDs, .int8(plan.messages.count)).map {
                MessageID(try $0.decode(column: 0))
            }
        }
        let messages = stored(messageIDs)
        // Members refer to their rooms.
        _ = try await transaction.batch(
            userCommands + roomCommands + memberCommands + messageCommands(messages) + readerCommands)
        var ended: [SignInRepository.Ended] = []
        for (externalID, change) in plan.changedUsers where change.isDisabled == true {
            guard let userID = plan.state.users[externalID]?.userID else { continue }
            ended.append(
                SignInRepository.Ended(
                    userID: userID,
                    revocations: try await SignInEnding.end(.all(userID, except: nil), transaction)))
        }
        return ImportRepository.Committed(
            outcomes: plan.outcomes, newRooms: plan.newRooms, events: lastEvents(messages),
            userChanges: try await raiseVersions(transaction), ended: ended)
    }

    // MARK: Users

    private var userCommands: [PostgresCommand] {
        let new = plan.newUsers.compactMap { externalID in
            plan.state.users[externalID].map { (externalID: externalID, user: $0) }
        }
        let changed = plan.changedUsers.compactMap { externalID, change in
            plan.state.users[externalID].map { (user: $0, change: change) }
        }.sorted { $0.user.userID < $1.user.userID }
        guard !new.isEmpty || !changed.isEmpty else { return [] }
        let renamed = changed.filter { $0.change.displayName != nil || $0.change.username != nil }.map(\.user)
        return [
            // A name that passes from one user to another is free in between.
            PostgresCommand(
                Self.clearUsernames,
                .int8Array(changed.filter { $0.change.username != nil }.map(\.user.userID.rawValue))),
            PostgresCommand(
                Self.insertUsers, .int8Array(new.map(\.user.userID.rawValue)),
                .textArray(new.map(\.externalID.rawValue)), .textArray(new.map(\.user.displayName)),
                .textArray(new.map(\.user.username)), .boolArray(new.map(\.user.isDisabled)),
                .timestamptzArray(new.map(\.user.createdAt))),
            PostgresCommand(
                Self.updateUsers, .int8Array(changed.map(\.user.userID.rawValue)),
                .textArray(changed.map(\.change.displayName)), .textArray(changed.map(\.change.username)),
                .boolArray(changed.map(\.change.isDisabled)), .timestamptzArray(changed.map(\.change.createdAt))),
        ]
            + NameSuffixes.replace(
                forUsers: (new.map(\.user) + renamed).map { user in
                    (user.userID, [user.username, user.displayName].compactMap(\.self))
                }, present: renamed.map(\.userID))
    }

    private static let clearUsernames = PostgresStatement(
        "UPDATE users SET username = NULL WHERE user_id = ANY ($1)")
    // In key order, so that two imports of the same users wait for each other in the same order.
    private static let insertUsers = PostgresStatement(
        """
        INSERT INTO users (user_id, external_id, display_name, username, is_disabled, created_at, indexed_name)
        OVERRIDING SYSTEM VALUE
        SELECT user_id, external_id, display_name, username, is_disabled, created_at, display_name
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[])
            AS made (user_id, external_id, display_name, username, is_disabled, created_at)
        ORDER BY external_id COLLATE "C"
        """)
    private static let updateUsers = PostgresStatement(
        """
        UPDATE users SET display_name = coalesce(changed.display_name, users.display_name),
            indexed_name = coalesce(changed.display_name, users.indexed_name),
            username = coalesce(changed.username, users.username),
            is_disabled = coalesce(changed.is_disabled, users.is_disabled),
            created_at = coalesce(changed.created_at, users.created_at)
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[])
            AS changed (user_id, display_name, username, is_disabled, created_at)
        WHERE users.user_id = changed.user_id
        """)

    // MARK: Rooms and their events

    private typealias NamedRoom = (roomID: RoomID, room: ImportState.Room)

    private var roomCommands: [PostgresCommand] {
        let newIDs = Set(plan.newRooms)
        let new = rooms(plan.newRooms)
        let changed = rooms(plan.changedRooms.filter { !newIDs.contains($0) })
        let found = (new + changed.filter { plan.renamedRooms.contains($0.roomID) }).filter { $0.room.type == .public }
        var commands: [PostgresCommand] = []
        if !new.isEmpty {
            commands.append(
                PostgresCommand(
                    Self.insertRooms, parameters(new) + [.textArray(new.map(\.room.type.rawValue))]))
        }
        if !changed.isEmpty { commands.append(PostgresCommand(Self.updateRooms, parameters(changed))) }
        if !found.isEmpty { commands += NameSuffixes.replace(forRooms: found.map { ($0.roomID, $0.room.name) }) }
        if !plan.events.isEmpty { commands.append(eventCommand) }
        return commands
    }

    private func rooms(_ roomIDs: some Collection<RoomID>) -> [NamedRoom] {
        roomIDs.sorted { $0.rawValue < $1.rawValue }.compactMap { roomID in
            plan.state.rooms[roomID].map { (roomID, $0) }
        }
    }

    /// A room's place in lists is that of its latest message. Joins are no activity here: they come with the import.
    private func parameters(_ rooms: [NamedRoom]) -> [PostgresParameter] {
        [
            .textArray(rooms.map(\.roomID.rawValue)), .textArray(rooms.map(\.room.name)),
            .int8Array(rooms.map { $0.room.ownerID?.rawValue }), .int8Array(rooms.map { Int64($0.room.memberCount) }),
            .int8Array(rooms.map(\.room.lastSeq)), .timestamptzArray(rooms.map(\.room.createdAt)),
            .timestamptzArray(rooms.map { plan.activity[$0.roomID] ?? $0.room.createdAt }),
        ]
    }

    private var eventCommand: PostgresCommand {
        let fields = plan.events.map { event -> (userID: UserID?, role: MemberRole?, name: String?) in
            switch event.change {
            case .memberJoined(let userID, let role, _, _), .memberRoleChanged(let userID, let role, _, _):
                (userID, role, nil)
            case .roomUpdated(let name, _, _): (nil, nil, name)
            // An import makes no other events.
            default: (nil, nil, nil)
            }
        }
        return PostgresCommand(
            Self.insertEvents, .textArray(plan.events.map(\.roomID.rawValue)), .int8Array(plan.events.map(\.seq)),
            .textArray(plan.events.map(\.change.type.rawValue)), .int8(UserID.installation.rawValue),
            .timestamptz(plan.state.now), .int8Array(fields.map { $0.userID?.rawValue }),
            .textArray(fields.map { $0.role?.rawValue }), .textArray(fields.map(\.name)))
    }

    private static let insertRooms = PostgresStatement(
        """
        INSERT INTO rooms (room_id, name, owner_id, member_count, last_seq, created_at, active_at, type, indexed_name)
        SELECT room_id, name, owner_id, member_count, last_seq, created_at, active_at, type, name
        FROM unnest(
            $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
            $8::text[]
        ) AS made (room_id, name, owner_id, member_count, last_seq, created_at, active_at, type)
        ORDER BY room_id COLLATE "C"
        """)
    private static let updateRooms = PostgresStatement(
        """
        UPDATE rooms SET name = changed.name, owner_id = changed.owner_id, member_count = changed.member_count,
            last_seq = changed.last_seq, created_at = changed.created_at,
            active_at = greatest(rooms.active_at, changed.active_at),
            indexed_name = CASE WHEN rooms.name = changed.name THEN rooms.indexed_name ELSE changed.name END
        FROM unnest(
            $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[]
        ) AS changed (room_id, name, owner_id, member_count, last_seq, created_at, active_at)
        WHERE rooms.room_id = changed.room_id
        """)
    private static let insertEvents = PostgresStatement(
        """
        INSERT INTO room_events (room_id, seq, type, actor_id, at, user_id, role, name)
        SELECT room_id, seq, type, $4, $5, user_id, role, name
        FROM unnest($1::text[], $2::bigint[], $3::text[], $6::bigint[], $7::text[], $8::text[])
            AS events (room_id, seq, type, user_id, role, name)
        """)

    // MARK: Members

    private var memberCommands: [PostgresCommand] {
        let joining = plan.members.filter { $0.value.joinedAfter != nil }.map { ($0.key, $0.value) }
        let changed = plan.members.filter { $0.value.joinedAfter == nil }.map { ($0.key, $0.value) }
        return [(Self.insertMembers, joining), (Self.updateMembers, changed)].filter { !$1.isEmpty }.map {
            statement, members in
            PostgresCommand(
                statement, .textArray(members.map(\.0.roomID.rawValue)), .int8Array(members.map(\.0.userID.rawValue)),
                .textArray(members.map { $0.1.role?.rawValue }), .int8Array(members.map(\.1.mark)),
                .int8Array(members.map(\.1.joinedAfter)))
        }
    }

    // A member who comes back keeps the read mark, where it is further.
    private static let insertMembers = PostgresStatement(
        """
        WITH joining AS (
            SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
                AS joining (room_id, user_id, role, mark, joined_seq)
        ), former AS (
            DELETE FROM former_members USING joining
            WHERE former_members.room_id = joining.room_id AND former_members.user_id = joining.user_id
            RETURNING former_members.room_id, former_members.user_id, former_members.last_read_seq
        )
        INSERT INTO room_members (room_id, user_id, role, added_by, last_read_seq, joined_at, joined_seq)
        SELECT joining.room_id, joining.user_id, joining.role, \(UserID.installation.rawValue),
            greatest(former.last_read_seq, joining.mark, 0), clock_timestamp(), joining.joined_seq
        FROM joining LEFT JOIN former ON former.room_id = joining.room_id AND former.user_id = joining.user_id
        """)
    private static let updateMembers = PostgresStatement(
        """
        UPDATE room_members SET role = coalesce(changed.role, room_members.role),
            last_read_seq = greatest(room_members.last_read_seq, changed.mark)
        FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[])
            AS changed (room_id, user_id, role, mark, joined_seq)
        WHERE room_members.room_id = changed.room_id AND room_members.user_id = changed.user_id
        """)
    private static let insertReaders = PostgresStatement(
        """
        INSERT INTO import_reads (run_id, room_id, user_id)
        SELECT $1, room_id, user_id FROM unnest($2::text[], $3::bigint[]) AS readers (room_id, user_id)
        ON CONFLICT DO NOTHING
        """)

    private var readerCommands: [PostgresCommand] {
        guard !plan.readers.isEmpty else { return [] }
        let readers = Array(plan.readers)
        return [
            PostgresCommand(
                Self.insertReaders, .int8(run.id), .textArray(readers.map(\.roomID.rawValue)),
                .int8Array(readers.map(\.userID.rawValue)))
        ]
    }

    /// Raises the versions of those who have joined a room or whose mark has moved: the last statement of the transaction.
    private func raiseVersions(_ transaction: PostgresTransaction) async throws -> [UserChange] {
        let moved = plan.members.filter { $0.value.joinedAfter != nil || $0.value.mark != nil }
        guard !moved.isEmpty else { return [] }
        let changes = Dictionary(grouping: moved, by: \.key.userID)
        // A version is left out where a user has several changes. One of them is published, with the last version: whoever
        // receives it sees that there was more, and compares.
        let versions = try await UserVersions.raise(by: changes.mapValues { $0.count == 1 ? 1 : 2 }, transaction)
        return changes.compactMap { userID, changes in
            guard let joined = changes.first(where: { $0.value.joinedAfter != nil }),
                let joinedAfter = joined.value.joinedAfter, let version = versions[userID]
            else { return nil }
            return UserChange(
                userID: userID, version: version, roomID: joined.key.roomID, kind: .roomAdded, seq: joinedAfter + 1)
        }
    }
}
