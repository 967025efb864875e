import ChatLocalStack

/// What PostgreSQL stores on this machine at this moment, without us: rows like a message's, inserted by pgbench into a
/// table with the same indexes. The measure of `chat-lab bench post`.
struct InsertReference {
    /// One durable transaction for each row, by as many clients as commit together well.
    static let single = InsertReference(clients: 16, rows: 1)
    /// Many rows in one durable transaction: what batches could come to.
    static let multiple = InsertReference(clients: 4, rows: 64)
    /// One client that waits for each row.
    static let alone = InsertReference(clients: 1, rows: 1)

    let clients: Int
    /// In one transaction.
    let rows: Int

    var name: String { "pgbench, \(rows == 1 ? "one row" : "\(rows) rows") a transaction, \(clients) clients" }

    /// - Returns: rows a second.
    func measure(_ postgres: LocalPostgres, seconds: Int) async throws -> Double {
        try await postgres.run(sql: "CREATE TABLE IF NOT EXISTS bench_rows (LIKE messages INCLUDING ALL)")
        // So that one measurement does not pay for the rows of those before it.
        try await postgres.run(sql: "TRUNCATE bench_rows")
        let transactions = try await postgres.pgbench(
            script: #"""
                \set room random(1, 8)
                \set key random(1, 9000000000000000)
                INSERT INTO bench_rows (room_id, seq, sender_id, type, content, sent_at, client_message_id)
                SELECT 'bench-' || :room, :key::bigint + n, 1, 'text', '{"text":"The quick brown fox"}', now(),
                    'bench-' || (:key::bigint + n)
                FROM generate_series(1, \#(rows)) n;
                """#, clients: clients, seconds: seconds)
        return transactions * Double(rows)
    }
}
