import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// The statement that stores a batch must read messages by index whatever PostgreSQL knows of the table: its plan may
/// have been made while the table was empty, and no statistics may be there yet.
@Suite(.timeLimit(.minutes(2))) struct StorePlanTests {
    @Test(arguments: ["force_generic_plan", "force_custom_plan"])
    func `no plan of the store statement scans the messages`(mode: String) async throws {
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
            let plan = try await plan(on: store.client, settings)
            #expect(plan.contains("messages_client_key"), "\(plan)")
            #expect(plan.contains("messages_pkey"), "\(plan)")
            #expect(!plan.contains("Seq Scan on messages"), "\(plan)")
        }
    }

    /// As it was measured: a plan that was made while statistics said that there were no messages, kept for ever after.
    @Test func `the writer's own connection plans for a table that will grow`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.client.script("VACUUM ANALYZE messages")
            let plan: String = try await withClient(store.url) { client in
                try await self.plan(on: client, "SELECT")
            }
            #expect(!plan.contains("Seq Scan"), "\(plan)")
            // Generic: the same for any drafts.
            #expect(plan.contains("$8"), "\(plan)")
        }
    }

    /// How the statement would be carried out, by a connection with these settings.
    private func plan(on client: PostgresClient, _ settings: String) async throws -> String {
        let statement = MessageBatchStatements.commands(
            for: [draft(replyTo: MessageID(1))], isOpen: false, looksUpKeys: true)[1].statement.sql
        return try await client.withConnection { session in
            try await session.execute(
                script: """
                    \(settings);
                    PREPARE store (integer[], text[], bigint[], text[], text[], bigint[], text[], bytea[], boolean,
                        boolean) AS
                    \(statement)
                    """)
            return try await session.query(PostgresStatement("EXPLAIN (VERBOSE) EXECUTE store (\(Self.hundredDrafts))"))
                .map { try $0.decode(column: 0, as: String.self) }.joined(separator: "\n")
        }
    }

    private static var hundredDrafts: String {
        func column(_ element: (Int) -> String, _ type: String) -> String {
            "ARRAY[" + (0..<100).map(element).joined(separator: ",") + "]::\(type)[]"
        }
        return [
            column({ "\($0)" }, "integer"), column({ _ in "'hall'" }, "text"), column({ "\(1 + $0 % 2)" }, "bigint"),
            column({ _ in "'text'" }, "text"), column({ _ in "'{}'" }, "text"), column({ "\($0 + 1)" }, "bigint"),
            column({ "'new\($0)'" }, "text"), column({ _ in "''" }, "bytea"), "false", "true",
        ].joined(separator: ", ")
    }
}
