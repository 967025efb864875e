import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// The statements of the feed of changes must look rows up by key, whatever PostgreSQL knows of the tables.
@Suite(.timeLimit(.minutes(2))) struct ChangePlanTests {
    private static let tables = ["rooms", "room_members", "messages", "room_events", "change_runs"]

    private static let cases = [
        PlannedStatement(
            testDescription: "pending", statement: ChangeSequenceRepository.selectPending, types: "text[]",
            values: "'{r1,r2}'"),
        PlannedStatement(
            testDescription: "part", statement: ChangeSequenceRepository.selectPart, types: "text, bigint",
            values: "'r1', 100"),
        PlannedStatement(
            testDescription: "append", statement: ChangeSequenceRepository.append,
            types: "bigint, text[], bigint, bigint", values: "1, '{r1,r2}', 1, 1"),
        PlannedStatement(
            testDescription: "runs", statement: ChangeRepository.selectRuns, types: "bigint, bigint", values: "5, 10"),
        PlannedStatement(
            testDescription: "runs of rooms", statement: ChangeRepository.selectRunsOfRooms,
            types: "bigint, bigint, text[]", values: "5, 10, '{r1,r2}'"),
        PlannedStatement(
            testDescription: "items", statement: ChangeRepository.selectItems,
            types: "bigint[], text[], bigint[], bigint[], text[], bigint",
            values: "'{1,2}', '{r1,r2}', '{0,0}', '{4,4}', '{message}', 10"),
    ]

    private static let rows = """
        INSERT INTO rooms (room_id, name, type, last_seq)
            SELECT 'r' || number, 'n', 'group', 4 FROM generate_series(1, 5000) AS number;
        INSERT INTO room_members (room_id, user_id, role)
            SELECT 'r' || number, other, 'member'
            FROM generate_series(1, 5000) AS number, generate_series(1, 3) AS other;
        INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
            SELECT 'r' || number, seq, 2, 'text', '{}', now()
            FROM generate_series(1, 5000) AS number, generate_series(1, 3) AS seq;
        INSERT INTO room_events (room_id, seq, type, actor_id, at, name)
            SELECT 'r' || number, 4, 'room_updated', 2, now(), 'n' FROM generate_series(1, 5000) AS number;
        INSERT INTO change_runs (position, room_id, from_seq, to_seq, mark)
            SELECT number, 'r' || number, 0, 3, 1 FROM generate_series(1, 5000) AS number;
        UPDATE change_feed SET head = 5000
        """

    @Test(arguments: cases, [true, false])
    private func `no plan scans a table that grows`(_ tested: PlannedStatement, hasStatistics: Bool) async throws {
        try await withStore { store in
            try await store.expectNoScan(
                of: Self.tables, by: tested, rows: Self.rows, hasStatistics: hasStatistics)
        }
    }
}
