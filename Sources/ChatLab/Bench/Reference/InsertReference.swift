import ChatLocalStack

/// The rate at which PostgreSQL alone stores rows on this machine: like a message's, inserted by pgbench into a table with
/// the same indexes. The reference of `chat-lab bench post`.
struct InsertReference {
    /// One durable transaction for each row, by 16 clients.
    static let single = InsertReference(clients: 16, rows: 1)
    /// Many rows in one durable transaction: an upper bound for batches.
    static let multiple = InsertReference(clients: 4, rows: 64)
    /// One client that waits for each row.
    static let alone = InsertReference(clients: 1, rows: 1)

    let clients: Int
    /// Rows of one transaction.
    let rows: Int

    var name: String { "pgbench, \(rows == 1 ? "one row" : "\(rows) rows") a transaction, \(clients) clients" }

    /// - Returns: rows a second.
    func measure(_ postgres: LocalPostgres, seconds: Int) async throws -> Double {
        try await postgres.run(sql: "CREATE TABLE IF NOT EXISTS bench_rows (LIKE messages INCLUDING ALL)")
        // The rows of earlier measurements must not slow this one down.
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
