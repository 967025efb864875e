import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// The statements of the room list must look rows up by key, whatever PostgreSQL knows of the tables, and read no more of
/// a room's history than what is new.
@Suite(.timeLimit(.minutes(2))) struct RoomListPlanTests {
    private static let tables = ["rooms", "room_members", "former_members", "messages", "room_events", "user_versions"]

    private static let cases = [
        PlannedStatement(
            testDescription: "list", statement: RoomListRepository.selectList, types: "bigint, bigint, boolean",
            values: "1, 5, true"),
        PlannedStatement(
            testDescription: "summaries", statement: RoomListRepository.selectSummaries, types: "bigint, text[]",
            values: "1, '{r1,r2}'"),
        PlannedStatement(
            testDescription: "read states", statement: RoomListRepository.selectReadStates,
            types: "bigint, text[], bigint[]", values: "1, '{r1,r2}', '{1,2}'"),
        PlannedStatement(
            testDescription: "versions", statement: RoomListRepository.selectVersions, types: "bigint[]",
            values: "'{1,2}'"),
        PlannedStatement(
            testDescription: "memberships", statement: RoomListRepository.selectMemberships, types: "bigint[]",
            values: "'{1,2}'"),
    ]

    /// 5,000 rooms of 500 users, with some history.
    private static let rows = """
        INSERT INTO rooms (room_id, name, type, last_seq)
            SELECT 'r' || number, 'n', 'group', 4 FROM generate_series(1, 5000) AS number;
        INSERT INTO room_members (room_id, user_id, role)
            SELECT 'r' || number, 1 + (number + other) % 500, 'member'
            FROM generate_series(1, 5000) AS number, generate_series(0, 2) AS other;
        INSERT INTO former_members (room_id, user_id, last_read_seq)
            SELECT 'r' || number, 1 + (number + 7) % 500, 0 FROM generate_series(1, 5000) AS number;
        INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
            SELECT 'r' || number, seq, 2, 'text', '{}', now()
            FROM generate_series(1, 5000) AS number, generate_series(1, 3) AS seq;
        INSERT INTO room_events (room_id, seq, type, actor_id, at, name)
            SELECT 'r' || number, 4, 'room_updated', 2, now(), 'n' FROM generate_series(1, 5000) AS number;
        INSERT INTO user_versions (user_id, version) SELECT number, 1 FROM generate_series(1, 5000) AS number
        """

    @Test(arguments: cases, [true, false])
    private func `no plan scans a table that grows`(_ tested: PlannedStatement, hasStatistics: Bool) async throws {
        try await withStore { store in
            try await store.expectNoScan(
                of: Self.tables, by: tested, rows: Self.rows, hasStatistics: hasStatistics)
        }
    }

    @Test func `the cost of a list follows what is new, not the history`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.insertMessages(1...50_000)
            let cursor = try await store.cursor(of: ann)
            try await store.insertMessages(50_001...50_010)
            try await store.client.script("VACUUM ANALYZE")
            let rows = try await store.client.query(
                PostgresStatement("EXPLAIN (ANALYZE, BUFFERS) \(RoomListRepository.selectList.sql)"),
                .int8(ann.rawValue), .int8(cursor.snapshotID.rawValue), .bool(true))
            let plan = try rows.map { try $0.decode(column: 0, as: String.self) }.joined(separator: "\n")
            #expect(try store.buffers(in: plan) < 60, "\(plan)")
            let list = try await store.lists.list(of: ann, since: cursor, withSeqAtCursor: true)
            #expect(list.heads == ["hall": 50_000])
        }
    }
}
