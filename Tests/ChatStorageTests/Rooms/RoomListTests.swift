import ChatEvents
@testable import ChatStorage
import CommonUtil
import PostgresClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomListTests {
    // MARK: One's own rooms

    @Test func `a list of rooms has what is new in them`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            try await store.makeRoom(.cellar, members: [bob])
            let last = try await withWriter(store.client) { writer in
                for _ in 1...3 { try await writer.mustStore(draft(by: bob)) }
                try await writer.mustStore(draft(by: ann))
                for _ in 1...2 { try await writer.mustStore(draft(by: bob)) }
                return try await writer.mustStore(draft("last", by: bob))
            }
            let rooms = try await store.rooms.rooms(of: ann, after: nil, limit: 10)
            #expect(rooms.map(\.room.roomID) == [.hall, .attic])
            #expect(rooms[0].room.lastSeq == 7)
            #expect(rooms[0].lastMessage == last)
            // Posting marked the room read up to the post.
            #expect(rooms[0].lastReadSeq == 4)
            #expect(rooms[0].unreadCount == 3)
            #expect(rooms[1].lastMessage == nil)
            #expect(rooms[1].unreadCount == 0)

            // Deleted messages are not news, nor are events that are no messages.
            let page = try await store.messages.history(of: .hall, before: nil, after: 0, limit: 10)
            for message in page.messages where [2, 5].contains(message.seq) { try await store.delete(message) }
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.rename(to: "x", by: bob) }
            let changed = try #require(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first)
            #expect(changed.unreadCount == 2)
            #expect(changed.room.lastSeq == 10)
            #expect(changed.lastMessage == last)

            _ = try await store.marks.mark(.hall, by: ann, upTo: 6)
            #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first?.unreadCount == 1)
            #expect(try await store.rooms.rooms(of: bob, after: nil, limit: 10).allSatisfy { $0.unreadCount == 0 })
        }
    }

    @Test func `more than 999 unread messages count as 1000`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            func insert(_ seqs: ClosedRange<Int>) async throws {
                try await store.client.script(
                    """
                    INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
                    SELECT 'hall', seq, 2, 'text', '{}', now()
                    FROM generate_series(\(seqs.lowerBound), \(seqs.upperBound)) AS seq;
                    UPDATE rooms SET last_seq = \(seqs.upperBound)
                    """)
            }
            try await insert(1...999)
            #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first?.unreadCount == 999)
            try await insert(1_000...1_200)
            #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first?.unreadCount == 1_000)
        }
    }

    @Test func `pages go on where the last one ended, newest activity first`() async throws {
        try await withStore { store in
            let ids = ["a", "b", "c", "d", "e"].map { RoomID(verified: $0) }
            for id in ids { try await store.makeRoom(id) }
            // Three of the same moment: the id decides.
            try await store.client.script(
                "UPDATE rooms SET active_at = '2026-01-01' WHERE room_id IN ('a', 'c', 'd')")
            var listed: [String] = []
            var last: (activeAt: Timestamp, roomID: RoomID)?
            for _ in 0..<10 {
                let page = try await store.rooms.rooms(of: ann, after: last, limit: 2)
                guard let end = page.last else { break }
                listed += page.map(\.room.roomID.rawValue)
                last = (end.activeAt, end.room.roomID)
            }
            #expect(listed == ["e", "b", "d", "c", "a"])
        }
    }

    // MARK: Counting

    @Test func `one who comes back has read what was read before`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                for _ in 1...3 { try await writer.mustStore(draft(by: bob)) }
                try await writer.mustStore(draft(by: ann))
                for round in 0..<2 {
                    _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(bob, by: bob) }
                    try await writer.mustStore(draft(by: ann))
                    _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(bob, as: .member, by: bob) }
                    let room = try #require(try await store.rooms.rooms(of: bob, after: nil, limit: 1).first)
                    #expect(room.lastReadSeq == 3)
                    #expect(room.unreadCount == 2 + round)
                }
            }
            #expect(try await store.client.number("SELECT count(*) FROM former_members") == 0)
            // One who was never here has read nothing.
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(cid, as: .member, by: ann) }
            #expect(try await store.rooms.rooms(of: cid, after: nil, limit: 1).first?.unreadCount == 6)
        }
    }

    @Test(arguments: [("nothing read", "2, false", 1_000), ("all deleted", "2, true", 0)])
    func `a count looks at no more than it counts`(name: String, values: String, count: Int) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.client.script(
                """
                INSERT INTO messages (room_id, seq, sender_id, is_deleted, type, content, sent_at)
                SELECT 'hall', seq, \(values), 'text', '{}', now() FROM generate_series(1, 50000) AS seq;
                UPDATE rooms SET last_seq = 50000
                """)
            try await store.client.script("VACUUM ANALYZE messages")
            let plan = try await store.plan(of: ann)
            #expect(plan.contains("messages_live"), "\(plan)")
            #expect(!plan.contains("Seq Scan on messages"), "\(plan)")
            #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first?.unreadCount == count)
            // Some pages of an index, of the more than two hundred that it has.
            #expect(try store.buffers(in: plan) < 60, "\(plan)")
        }
    }

    // MARK: Public rooms

    private func names(_ store: Store, _ text: String, pageSize: Int = 2) async throws -> [String] {
        var names: [String] = []
        var last: (suffix: String, roomID: RoomID)?
        for _ in 0..<20 {
            let page = try await store.rooms.publicRooms(finding: text, after: last, limit: pageSize)
            guard let end = page.last else { break }
            names += page.map(\.item.name)
            last = (end.suffix, end.item.roomID)
        }
        return names
    }

    @Test func `public rooms are found by prefix, whatever the case, in pages`() async throws {
        try await withStore { store in
            for (number, name) in ["Swift", "swallow", "SWIM", "swim", "Rust"].enumerated() {
                try await store.makeRoom(RoomID(verified: "r\(number)"), .public, name: name)
            }
            try await store.makeRoom(.hall, .group, name: "Swedish")
            try await store.makeRoom(.attic, .public, name: "Sweden")
            _ = try await store.rooms.withLockedRoom(.attic) { try await $0.archive(by: ann) }

            #expect(try await names(store, "sW") == ["swallow", "Swift", "SWIM", "swim"])
            #expect(try await names(store, "sw", pageSize: 1) == ["swallow", "Swift", "SWIM", "swim"])
            #expect(try await names(store, "x") == [])
            #expect(
                try await store.rooms.publicRooms(after: nil, limit: 4).map(\.name).prefix(2) == ["Rust", "swallow"])
            let rest = try await store.rooms.publicRooms(after: ("Swift", RoomID(verified: "r0")), limit: 4)
            #expect(rest.map(\.name) == ["SWIM", "swim"])
        }
    }

    @Test func `no character of a prefix is a wildcard`() async throws {
        try await withStore { store in
            for (number, name) in ["100%", "100 days", "a_b", "axb", #"c\d"#, "c%d"].enumerated() {
                try await store.makeRoom(RoomID(verified: "r\(number)"), .public, name: name)
            }
            #expect(try await names(store, "100%") == ["100%"])
            #expect(try await names(store, "a_") == ["a_b"])
            #expect(try await names(store, #"c\"#) == [#"c\d"#])
            #expect(try await names(store, "%") == [])
            #expect(try await names(store, "_") == [])
        }
    }

    /// Not all languages fold case alike, so only one of the two sides, Swift or PostgreSQL, may do it.
    @Test(arguments: ["Äpfel", "ÉTÉ", "ΣΟΦΟΣ", "İstanbul", "Straße", "Ǆ"])
    func `a name is found by itself, and pages go on after it`(name: String) async throws {
        try await withStore { store in
            try await store.makeRoom(RoomID(verified: "r1"), .public, name: name)
            try await store.makeRoom(RoomID(verified: "r2"), .public, name: name + " 2")
            try await store.makeRoom(RoomID(verified: "r3"), .public, name: name + " 3")
            #expect(try await names(store, name, pageSize: 1) == [name, name + " 2", name + " 3"])
        }
    }
}

extension Store {
    /// How PostgreSQL answers for a user's list, with what it read.
    fileprivate func plan(of userID: UserID) async throws -> String {
        let statement = PostgresStatement("EXPLAIN (ANALYZE, BUFFERS) \(RoomRepository.selectSummaries.sql)")
        // An index is taken because it is better, not because the session's settings forbid all else.
        let allowsScans: PostgresStatement = "SELECT set_config('enable_seqscan', 'on', true)"
        let rows = try await client.batch([
            PostgresCommand(allowsScans),
            PostgresCommand(
                statement, .int8(userID.rawValue), .timestamptz(microsecondsSinceEpoch: nil), .text(String?.none),
                .int8(10)),
        ])[1]
        return try rows.map { try $0.decode(column: 0, as: String.self) }.joined(separator: "\n")
    }

    /// The pages that the whole statement looked at.
    func buffers(in plan: String) throws -> Int {
        let line = try #require(plan.split(separator: "\n").first { $0.contains("Buffers:") })
        return line.split { !$0.isNumber }.compactMap { Int($0) }.reduce(0, +)
    }
}
