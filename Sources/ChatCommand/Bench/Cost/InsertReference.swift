import ChatLocalStack

/// What PostgreSQL stores on this machine at this moment, without us: one row like a message's, in one transaction, by
/// each of 16 clients of pgbench. The measure of `chat bench post`.
enum InsertReference {
    static let clients = 16

    /// - Returns: rows a second.
    static func measure(_ postgres: LocalPostgres, seconds: Int) async throws -> Double {
        try await postgres.run(sql: "CREATE TABLE IF NOT EXISTS bench_rows (LIKE messages INCLUDING ALL)")
        return try await postgres.pgbench(
            script: #"""
                \set room random(1, 8)
                \set key random(1, 9000000000000000)
                INSERT INTO bench_rows (room_id, seq, sender_id, type, content, sent_at, client_message_id)
                VALUES ('bench-' || :room, :key, 1, 'text', '{"text":"The quick brown fox"}', now(), 'bench-' || :key);
                """#, clients: clients, seconds: seconds)
    }
}
