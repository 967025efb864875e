import ChatEvents
import ChatTestSupport
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// Imports into a database.
@Suite(.timeLimit(.minutes(2))) struct ImportRepositoryTests {
    private func repository(_ store: Store, authMode: AuthMode = .token) -> ImportRepository {
        ImportRepository(ChatDatabase(store.client), authMode: authMode, limits: .none)
    }

    @discardableResult
    private func take(
        _ store: Store, _ lines: [ImportLine], run: ImportRun = ImportRun()
    ) async throws -> ImportRepository.Committed {
        let repository = repository(store)
        let committed = try await repository.commit(lines, of: run)
        try await repository.finish(run)
        return committed
    }

    private static let history: [ImportLine] =
        [
            .user("ann", name: "Ann", username: "ann", createdAt: .imported), .user("bob", name: "Bob"),
            .user("cid"), .room(.hall, .public, name: "Great Hall", createdAt: .imported), .room(.attic, .private),
            .member(.ext("ann"), .owner, read: .all), .member(.ext("bob"), read: .upTo(1)),
        ]
        + (1...20).map {
            .message(
                "\($0)", "text \($0)", by: .ext($0.isMultiple(of: 2) ? "ann" : "bob"),
                at: .imported.adding(seconds: Int64($0)), replyTo: $0 > 1 ? "\($0 - 1)" : nil)
        } + [.message("1", by: .ext("cid"), in: .attic)]

    /// All tables but those of migrations, as text.
    private func content(_ store: Store) async throws -> [String: String] {
        let tables = try await store.client.query(
            """
            SELECT table_name::text FROM information_schema.tables
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
            """)
        var content: [String: String] = [:]
        for row in tables {
            let table = try row.decode(String.self)
            content[table] = try await store.client.query(
                PostgresStatement(
                    "SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM \(table) AS t")
            ).first?.decode(String.self)
        }
        return content
    }

    @Test func `a history is there as its lines say`() async throws {
        try await withStore { store in
            let committed = try await take(store, Self.history)
            #expect(committed.outcomes.map(\.word) == Array(repeating: "made", count: Self.history.count))
            let user = try #require(try await store.users.user(externalID: ExternalID(verified: "ann")))
            #expect(user.displayName == "Ann" && user.username == "ann" && user.createdAt == .imported)
            let hall = try #require(try await store.rooms.room(.hall))
            #expect(hall.name == "Great Hall" && hall.memberCount == 2 && hall.lastSeq == 22)
            #expect(hall.ownerID == user.userID && hall.createdAt == .imported)
            let log = try await store.log.events(of: .hall, after: 0, limit: 100).events
            #expect(log.map(\.seq) == Array(1...22))
            let messages = log.compactMap(\.message)
            #expect(messages.map(\.sentAt) == (1...20).map { .imported.adding(seconds: $0) })
            #expect(messages.dropFirst().map(\.replyToMessageID) == messages.dropLast().map(\.messageID))
            // The head's mark is that of the last message, and the event that is published is the last one.
            #expect(hall.mark == log.last?.mark)
            #expect(Set(committed.events.map(\.roomID)) == [.hall, .attic])
            #expect(committed.events.contains(try #require(log.last)))
            // Ann is in one room, so her sockets get that.
            #expect(committed.userChanges.map(\.userID).contains(user.userID))
        }
    }

    @Test func `what is unread, and lists of rooms, follow the lines`() async throws {
        try await withStore { store in
            try await take(store, Self.history + [.member(.ext("cid"))])
            func list(_ name: String) async throws -> RoomSummary {
                let user = try #require(try await store.users.user(externalID: ExternalID(verified: name)))
                return try #require(try await store.rooms.rooms(of: user.userID, after: nil, limit: 10).first)
            }
            let ann = try await list("ann")
            #expect(ann.lastReadSeq == 23 && ann.unreadCount == 0)
            // A post is read by its sender, as if it had been posted.
            let bob = try await list("bob")
            #expect(bob.lastReadSeq == 21 && bob.unreadCount == 1)
            #expect(try await list("cid").unreadCount == 20)
            // A room is where its last message puts it.
            #expect(ann.activeAt == .imported.adding(seconds: 20))
            #expect(try await store.client.number("SELECT count(*) FROM import_reads") == 0)
        }
    }

    @Test func `names can be found, old ones no longer`() async throws {
        try await withStore { store in
            try await take(store, Self.history)
            func found(_ texts: String...) async throws -> [Int] {
                var counts: [Int] = []
                for text in texts {
                    let users = try await store.users.users(finding: text, after: nil, limit: 10).count
                    let rooms = try await store.rooms.publicRooms(finding: text, after: nil, limit: 10).count
                    counts.append(users + rooms)
                }
                return counts
            }
            #expect(try await found("ann", "great", "attic") == [1, 1, 0])
            try await take(store, [.user("ann", name: "Joan"), .room(.hall, .public, name: "Small Hall")])
            // Her username is still ann.
            #expect(try await found("joan", "great", "small", "ann") == [1, 0, 1, 1])
            #expect(
                try await store.client.number(
                    "SELECT count(*) FROM users WHERE indexed_name IS DISTINCT FROM display_name") == 0)
        }
    }

    @Test func `the same lines again change nothing in any table`() async throws {
        try await withStore { store in
            try await take(store, Self.history)
            let before = try await content(store)
            let again = try await take(store, Self.history)
            #expect(again.outcomes.map(\.word) == Array(repeating: "same", count: Self.history.count))
            #expect(again.events.isEmpty && again.userChanges.isEmpty)
            #expect(try await content(store) == before)
        }
    }

    @Test func `two imports of the same lines at once double nothing`() async throws {
        try await withStore { store in
            let words = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 1...4 { group.addTask { try await take(store, Self.history).outcomes.map(\.word) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for line in Self.history.indices { #expect(words.count { $0[line] == "made" } == 1) }
            #expect(try await store.client.number("SELECT count(*) FROM messages") == 21)
            #expect(try await store.client.number("SELECT count(*) FROM users") == 3)
            #expect(try await store.rooms.room(.hall)?.lastSeq == 22)
        }
    }

    @Test func `posts to the same room meanwhile leave no gap and lose nothing`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await take(store, [.user("ann")])
            try await withWriter(store.client) { writer in
                async let posts: Void = withThrowingTaskGroup { group in
                    for number in 1...50 { group.addTask { try await writer.mustStore(draft("post \(number)")) } }
                    try await group.waitForAll()
                }
                for batch in 0..<5 {
                    try await take(store, (1...20).map { .message("\(batch)-\($0)") })
                }
                try await posts
            }
            let log = try await store.log.events(of: .hall, after: 0, limit: 1_000).events
            #expect(log.map(\.seq) == Array(1...150))
        }
    }

    /// Waits until that many statements wait for locks. There is no event for that.
    private func waitForWaits(_ store: Store, _ count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await store.client.number(
            """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            """) < count
        {
            try #require(ContinuousClock.now < deadline, "nothing waits")
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Holds the lock of a room until it is released.
    private func hold(
        _ roomID: RoomID, _ store: Store, until release: EventCollector<Int>, held: EventCollector<RoomID>,
        _ change: @escaping @Sendable (inout LockedRoom) async throws -> Void = { _ in }
    ) async throws {
        _ = try await store.rooms.withLockedRoom(roomID) { room in
            try await change(&room)
            held.append(roomID)
            try await release.first(1)
        }
    }

    @Test func `a room that is made while another one is waited for is locked, too`() async throws {
        try await withStore { store in
            try await take(store, [.user("ann"), .room()])
            let held = EventCollector<RoomID>()
            let (releaseHall, releaseAttic) = (EventCollector<Int>(), EventCollector<Int>())
            try await withThrowingTaskGroup { group in
                group.addTask { try await hold(.hall, store, until: releaseHall, held: held) }
                try await held.first(1)
                group.addTask { try await take(store, [.message("1"), .message("2", in: .attic)]) }
                try await waitForWaits(store, 1)
                try await take(store, [.room(.attic)])
                group.addTask {
                    try await hold(.attic, store, until: releaseAttic, held: held) {
                        try await $0.rename(to: "Loft", by: ann)
                    }
                }
                try await held.first(2)
                releaseHall.append(1)
                // Now the import waits for the other room.
                try await waitForWaits(store, 1)
                releaseAttic.append(1)
                try await group.waitForAll()
            }
            #expect(try await store.log.events(of: .attic, after: 0, limit: 10).events.map(\.seq) == [1, 2])
            let attic = try #require(try await store.rooms.room(.attic))
            #expect(attic.name == "Loft" && attic.lastSeq == 2)
        }
    }

    @Test func `a user who is erased while a room is waited for stays so`() async throws {
        try await withStore { store in
            try await take(store, [.user("ann", name: "Ann"), .room()])
            let user = try #require(try await store.users.user(externalID: ExternalID(verified: "ann"))).userID
            let (held, release) = (EventCollector<RoomID>(), EventCollector<Int>())
            try await withThrowingTaskGroup { group in
                group.addTask { try await hold(.hall, store, until: release, held: held) }
                try await held.first(1)
                group.addTask {
                    let lines: [ImportLine] = [
                        .user("ann", name: "Ann again"), .member(.ext("ann")), .member(.id(user)),
                    ]
                    let words = try await take(store, lines).outcomes.map(\.word)
                    #expect(words == ["made", "made", "user_not_found"])
                }
                try await waitForWaits(store, 1)
                let managed = ManagedUserRepository(ChatDatabase(store.client))
                _ = try await managed.disable(user)
                try await managed.erase(user)
                release.append(1)
                try await group.waitForAll()
            }
            #expect(
                try await store.client.number(
                    "SELECT count(*) FROM users WHERE erased_at IS NOT NULL AND display_name = ''") == 1)
            #expect(try await store.rooms.member(user, of: .hall) == nil)
        }
    }

    @Test func `who joins several rooms at once gets a change that leaves out a version`() async throws {
        try await withStore { store in
            let committed = try await take(
                store,
                [.user("ann"), .user("bob"), .room(), .room(.attic), .room(.cellar)]
                    + [.member(.ext("ann")), .member(.ext("ann"), in: .attic), .member(.ext("bob"))])
            func id(_ name: String) async throws -> UserID {
                try #require(try await store.users.user(externalID: ExternalID(verified: name))).userID
            }
            let versions = Dictionary(grouping: committed.userChanges, by: \.userID).mapValues { $0.map(\.version) }
            #expect(versions == [try await id("ann"): [2], try await id("bob"): [1]])
            #expect(try await store.client.number("SELECT sum(version)::bigint FROM user_versions") == 3)
            #expect(committed.newRooms == [.hall, .attic, .cellar])
            let later = try await take(
                store, [.member(.ext("bob"), in: .attic), .member(.ext("bob"), in: .cellar), .room(.cellar)])
            #expect(later.userChanges.map(\.version) == [3] && later.newRooms.isEmpty)
        }
    }

    @Test func `a bad line fails alone, and the marks of senders do not fall behind`() async throws {
        try await withStore { store in
            var lines: [ImportLine] = [.user("ann"), .room(), .member(.ext("nobody")), .member(.ext("ann"))]
            lines += (1...600).map { .message("\($0)") }
            lines += [.message("x", by: .ext("nobody")), .message("y", replyTo: "z")]
            let words = try await take(store, lines).outcomes.map(\.word)
            #expect(words.count { $0 == "made" } == 603 && words[2] == "user_not_found")
            #expect(words.suffix(2) == ["user_not_found", "validation_failed"])
            let user = try #require(try await store.users.user(externalID: ExternalID(verified: "ann")))
            let summary = try #require(try await store.rooms.rooms(of: user.userID, after: nil, limit: 1).first)
            #expect(summary.lastReadSeq == 601 && summary.unreadCount == 0)
        }
    }

    @Test func `disabling a user ends its sign-ins once, and names pass from one to another`() async throws {
        try await withStore { store in
            try await take(store, [.user("ann", username: "ann"), .user("bob", username: "bob")])
            let swap: [ImportLine] = [
                .user("ann", username: "x"), .user("bob", username: "ann"),
                .user("ann", username: "bob", disabled: true),
            ]
            let committed = try await take(store, swap)
            #expect(committed.outcomes.map(\.word) == ["changed", "changed", "changed"])
            let bob = try await store.users.user(externalID: ExternalID(verified: "bob"))
            #expect(bob?.username == "ann" && committed.ended.count == 1)
            #expect(try await take(store, [.user("ann", disabled: true)]).ended.isEmpty)
        }
    }

    @Test func `an edited or deleted message stays so, and a member who comes back keeps the mark`() async throws {
        try await withStore { store in
            try await take(store, Self.history)
            let message = try #require(try await store.log.events(of: .hall, after: 2, limit: 1).events.first?.message)
            try await store.delete(message)
            // But for Ann, who reads the deletion, too.
            let again = try await take(store, Self.history).outcomes.map(\.word)
            #expect(again.count { $0 == "same" } == Self.history.count - 1 && again[5] == "changed")
            let reply = try await take(store, [.message("late", replyTo: "1")])
            #expect(reply.outcomes.map(\.word) == ["validation_failed"])

            let user = try #require(try await store.users.user(externalID: ExternalID(verified: "ann"))).userID
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(user, by: user) }
            #expect(try await take(store, [.member(.ext("ann"), read: .upTo(1))]).outcomes.map(\.word) == ["made"])
            #expect(try await store.rooms.member(user, of: .hall)?.lastReadSeq ?? 0 >= 22)
        }
    }

    @Test func `marks of an import that was broken off stay as they are, and their remains go`() async throws {
        try await withStore { store in
            let repository = repository(store)
            _ = try await repository.commit(Self.history, of: ImportRun())
            #expect(try await store.client.number("SELECT count(*) FROM import_reads") == 1)
            // Another import does not read for it.
            try await take(store, [.user("dan")])
            #expect(try await store.client.number("SELECT count(*) FROM import_reads") == 1)
            try await store.client.script("UPDATE import_reads SET noted_at = now() - interval '8 days'")
            try await repository.deleteAbandonedReads()
            #expect(try await store.client.number("SELECT count(*) FROM import_reads") == 0)
        }
    }
}
