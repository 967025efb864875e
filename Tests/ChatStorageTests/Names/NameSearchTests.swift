import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct NameSearchTests {
    private func people(_ store: Store, _ text: String, pageSize: Int = 2) async throws -> [String] {
        var names: [String] = []
        var last: (suffix: String, userID: UserID)?
        for _ in 0..<20 {
            let page = try await store.users.users(finding: text, after: last, limit: pageSize)
            guard let end = page.last else { break }
            names += page.compactMap(\.item.username)
            last = (end.suffix, end.item.userID)
        }
        return names
    }

    private func rooms(_ store: Store, _ text: String) async throws -> [RoomID] {
        try await store.rooms.publicRooms(finding: text, after: nil, limit: 10).map(\.item.roomID)
    }

    @Test func `people are found by any word of either name, each once, in pages`() async throws {
        try await withStore { store in
            for (username, displayName) in [
                ("maria", "Anna Maria Bell"), ("bella", "Bella Bell"), ("x.bell", "Émile Zola"), ("seoul", "한국 사람"),
                ("tokyo", "東京タワー"),
            ] {
                _ = try #require(
                    try await store.users.insert(username: username, displayName: displayName, passwordHash: ""))
            }
            #expect(Set(try await people(store, "bel")) == ["maria", "bella", "x.bell"])
            #expect(try await people(store, "bel").count == 3)
            #expect(try await people(store, "bel", pageSize: 1).count == 3)
            #expect(try await people(store, "MARIA B") == ["maria"])
            #expect(try await people(store, "ell") == [])
            #expect(try await people(store, "e\u{301}mi") == ["x.bell"])
            #expect(try await people(store, "zola") == ["x.bell"])
            #expect(try await people(store, "사람") == ["seoul"])
            #expect(try await people(store, "京タ") == ["tokyo"])
            #expect(try await people(store, "ワー") == ["tokyo"])
            // One character alone only where a word begins.
            #expect(try await people(store, "京") == [])
            #expect(try await people(store, "東") == ["tokyo"])
            #expect(try await people(store, "사") == ["seoul"])
        }
    }

    @Test func `a cursor of another search finds no other users`() async throws {
        try await withStore { store in
            for name in ["ann", "bob"] {
                _ = try await store.users.insert(username: name, displayName: name, passwordHash: "")
            }
            let found = try await store.users.users(finding: "b", after: ("ann", UserID(1)), limit: 9)
            #expect(found.map(\.item.username) == ["bob"])
        }
    }

    @Test func `one is found by a new name as soon as it is there, and no more by the old one`() async throws {
        try await withStore { store in
            let user = try #require(
                try await store.users.insert(username: "ann", displayName: "Old Name", passwordHash: ""))
            _ = try await store.users.change(user.userID, displayName: "New Label", whoMayAdd: nil)
            #expect(try await people(store, "name") == [])
            #expect(try await people(store, "label") == ["ann"])
            #expect(try await people(store, "ann") == ["ann"])

            try await store.makeRoom(.hall, .public, name: "Great Hall", members: [ann])
            #expect(try await rooms(store, "hall") == [.hall])
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.rename(to: "Small Room", by: ann) }
            #expect(try await rooms(store, "hall") == [])
            #expect(try await rooms(store, "room") == [.hall])
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.archive(by: ann) }
            #expect(try await rooms(store, "room") == [])
            try await store.makeRoom(.attic, .group, name: "Room", members: [ann])
            _ = try await store.rooms.withLockedRoom(.attic) { try await $0.rename(to: "Room again", by: ann) }
            #expect(try await rooms(store, "room") == [])
        }
    }

    @Test func `names that an older release stored are found once the indexer has been there`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public, name: "Hall", members: [ann])
            try await store.client.script(
                """
                INSERT INTO users (username, display_name, password_hash)
                SELECT 'old' || n, 'Old Hand ' || n, '' FROM generate_series(1, 450) AS n;
                INSERT INTO rooms (room_id, name, type) VALUES
                    ('p', 'Old Public', 'public'), ('g', 'Old Group', 'group');
                UPDATE rooms SET name = 'Renamed' WHERE room_id = 'hall'
                """)
            #expect(try await people(store, "hand 44") == [])
            let indexer = NameIndexer(ChatDatabase(store.client), logger: quiet)
            #expect(try await indexer.catchUp() == 452)
            #expect(try await people(store, "hand 44").count == 11)
            #expect(try await rooms(store, "old") == [RoomID(verified: "p")])
            #expect(try await rooms(store, "rena") == [.hall])
            #expect(try await rooms(store, "hall") == [])
            #expect(try await indexer.catchUp() == 0)
        }
    }

    /// As many as make a walk through the table cost more than the bound; no statistics, plans as on the servers.
    @Test(arguments: ["a", "zz", "na"])
    func `a search reads a page of an index, however many names there are`(text: String) async throws {
        try await withStore { store in
            try await store.client.script(
                """
                ALTER TABLE user_name_suffixes SET (autovacuum_enabled = false);
                INSERT INTO users (username, display_name, password_hash, indexed_name)
                SELECT 'u' || n, 'x', '', 'x' FROM generate_series(1, 20000) AS n;
                INSERT INTO user_name_suffixes (user_id, suffix, is_inside)
                SELECT user_id, prefix || user_id, false FROM users, unnest(ARRAY['a', 'na', 'u', 'anna ']) AS prefix
                """)
            let sql = UserRepository.search.statement.sql
            let plan = try await withClient(store.url) { client in
                try await client.withConnection { session in
                    try await session.execute(
                        script: "PREPARE search (text, text, bigint, bigint, boolean) AS \(sql)")
                    let explain = PostgresStatement(
                        "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) "
                            + "EXECUTE search ('\(text)', '\(text)', 0, 51, true)")
                    return try await session.query(explain).map { try $0.decode(column: 0, as: String.self) }
                        .joined(separator: "\n")
                }
            }
            #expect(plan.contains("user_name_suffixes_found"), "\(plan)")
            #expect(!plan.contains("Seq Scan") && !plan.contains("Rows Removed"), "\(plan)")
            #expect(try store.buffers(in: plan) < 700, "\(plan)")
        }
    }
}
