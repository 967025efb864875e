import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// The statements that store a batch must read messages by index whatever PostgreSQL knows of the table: their plans
/// may have been made while the table was empty, and no statistics may be there yet.
@Suite(.timeLimit(.minutes(2))) struct StorePlanTests {
    typealias Kind = MessageBatchStatements.Kind

    @Test(arguments: ["force_generic_plan", "force_custom_plan"], [Kind.validated, .optimistic])
    func `no plan of a store statement scans the messages`(mode: String, kind: Kind) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.client.script(
                """
                ALTER TABLE messages SET (autovacuum_enabled = false);
                INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at, client_message_id)
                SELECT 'hall', seq, 1 + seq % 100, 'text', '{"text":"x"}', now(), 'k' || seq
                FROM generate_series(1, 10000) AS seq;
                UPDATE rooms SET last_seq = 10000
                """)
            // Not because the session's settings forbid it.
            let settings = "SET plan_cache_mode = \(mode); SET enable_seqscan = on"
            let plan = try await storePlan(on: store.client, settings, kind)
            #expect(plan.contains("messages_client_key") == (kind == .validated), "\(plan)")
            #expect(plan.contains("messages_pkey"), "\(plan)")
            #expect(!plan.contains("Seq Scan on messages"), "\(plan)")
        }
    }

    /// As it was measured: a plan that was made while statistics said that there were no messages, kept for ever after.
    @Test(arguments: [Kind.validated, .optimistic])
    func `the writer's own connection plans for a table that will grow`(kind: Kind) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.client.script("VACUUM ANALYZE messages")
            let plan: String = try await withClient(store.url) { client in
                try await self.storePlan(on: client, "SELECT", kind)
            }
            #expect(!plan.contains("Seq Scan"), "\(plan)")
            // Generic: the same for any drafts.
            #expect(plan.contains("$8"), "\(plan)")
        }
    }

    /// In the order of their keys, which keeps two servers' batches from waiting for each other in a circle: one by one
    /// as they are given, or, where the table holds few, along its index.
    @Test(arguments: [1, 1_000])
    func `rooms are moved in the order of their keys`(rooms: Int) async throws {
        try await withStore { store in
            try await store.client.script(
                """
                INSERT INTO rooms (room_id, name, type)
                SELECT 'r' || number, 'n', 'public' FROM generate_series(1, \(rooms)) AS number;
                """)
            try await store.client.script("VACUUM ANALYZE rooms")
            let plan: String = try await withClient(store.url) { client in
                try await self.plan(
                    on: client, "SELECT", MessageBatchStatements.advance, "text[], bigint[]", "'{r1,r2}', '{1,2}'")
            }
            let steps = plan.split(separator: "\n").filter { $0.contains("->") }.map { line in
                line.drop { " ->".contains($0) }.prefix { $0 != "(" }.split(separator: " ").prefix(4)
                    .joined(separator: " ")
            }
            #expect(steps.first == "Nested Loop", "\(plan)")
            #expect(Set(steps.dropFirst()) == ["Function Scan on posts", "Index Scan using rooms_pkey"], "\(plan)")
        }
    }

    // MARK: Plans

    private func storePlan(on client: PostgresClient, _ settings: String, _ kind: Kind) async throws -> String {
        let command = MessageBatchStatements.commands(for: [draft(replyTo: MessageID(1))], isOpen: false, kind)[1]
        let (types, drafts) = kind == .validated ? ("", "") : (", bigint[]", ", \(Self.column { "\($0)" })::bigint[]")
        return try await plan(
            on: client, settings, command.statement,
            "integer[], text[], bigint[], text[], text[], bigint[], text[], bytea[], boolean\(types)",
            "\(Self.hundredDrafts)\(drafts)")
    }

    /// How a statement would be carried out, by a connection with these settings.
    private func plan(
        on client: PostgresClient, _ settings: String, _ statement: PostgresStatement, _ types: String,
        _ parameters: String
    ) async throws -> String {
        try await client.withConnection { session in
            try await session.execute(script: "\(settings); PREPARE batch (\(types)) AS \(statement.sql)")
            return try await session.query(PostgresStatement("EXPLAIN (VERBOSE) EXECUTE batch (\(parameters))"))
                .map { try $0.decode(column: 0, as: String.self) }.joined(separator: "\n")
        }
    }

    private static func column(_ element: (Int) -> String) -> String {
        "ARRAY[" + (0..<100).map(element).joined(separator: ",") + "]"
    }

    private static var hundredDrafts: String {
        [
            "\(column { "\($0)" })::integer[]", "\(column { _ in "'hall'" })::text[]",
            "\(column { "\(1 + $0 % 2)" })::bigint[]", "\(column { _ in "'text'" })::text[]",
            "\(column { _ in "'{}'" })::text[]", "\(column { "\($0 + 1)" })::bigint[]",
            "\(column { "'new\($0)'" })::text[]", "\(column { _ in "''" })::bytea[]", "false",
        ].joined(separator: ", ")
    }
}
