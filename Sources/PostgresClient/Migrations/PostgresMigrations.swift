import Logging

/// One step of a schema: SQL text with any number of statements, none of which begins or ends a transaction.
public struct PostgresMigration: Sendable, Hashable {
    /// Counts from 1; a migration that is out must not change any more.
    public let number: Int
    public let name: String
    public let sql: String

    public init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }
}

extension PostgresClient {
    /// Brings the database up to the last of these migrations, each in a transaction together with its row in
    /// `schema_migrations`. Several processes may do this at once: an advisory lock lets one do the work.
    ///
    /// Throws ``PostgresError/migration(_:)``, with the database left as it is, if an applied migration differs from
    /// the one given here, or if the database has one that is not given: it is newer than this program.
    ///
    /// `lockKey` is the key of `pg_advisory_lock`, the same for all processes; the timeout is for the lock, and for
    /// each migration. Returns the numbers of the migrations that were applied now.
    @discardableResult
    public func migrate(
        _ migrations: [PostgresMigration], lockKey: Int64, timeout: Duration = .seconds(300)
    ) async throws -> [Int] {
        let migrations = migrations.sorted { $0.number < $1.number }
        for (earlier, later) in zip(migrations, migrations.dropFirst()) where earlier.number == later.number {
            throw PostgresError.migration("two migrations have the number \(later.number)")
        }
        let logger = pool.logger
        return try await withConnection { session in
            // Held until the session's connection is closed.
            _ = try await session.query("SELECT pg_advisory_lock($1)", .int8(lockKey), timeout: timeout)
            _ = try await session.query(MigrationSQL.createTable)
            let applied = try await session.query(MigrationSQL.applied).map { row throws(PostgresError) in
                try row.decode(Int.self, String.self, String.self)
            }
            let checksums = try await session.query(
                MigrationSQL.checksums, .textArray(migrations.map(\.sql))
            ).map { row throws(PostgresError) in try row.decode(String.self) }
            let pending = try Self.pending(migrations, checksums, applied: applied)
            for (migration, checksum) in pending {
                try await session.apply(migration, checksum: checksum, timeout: timeout)
                logger.info(
                    "migration applied",
                    metadata: ["number": .stringConvertible(migration.number), "name": "\(migration.name)"])
            }
            return pending.map(\.0.number)
        }
    }

    /// Compares what is given with what is applied.
    private static func pending(
        _ migrations: [PostgresMigration], _ checksums: [String], applied: [(Int, String, String)]
    ) throws(PostgresError) -> [(PostgresMigration, String)] {
        let given = Dictionary(uniqueKeysWithValues: zip(migrations.map(\.number), checksums))
        for (number, name, checksum) in applied {
            guard let expected = given[number] else {
                throw .migration("the database has migration \(number) (\(name)), which is newer than this program")
            }
            guard expected == checksum else {
                throw .migration("migration \(number) (\(name)) was changed after it had been applied")
            }
        }
        let done = Set(applied.map(\.0))
        let pending = zip(migrations, checksums).filter { !done.contains($0.0.number) }
        if let first = pending.first, let last = done.max(), first.0.number < last {
            throw .migration("migration \(first.0.number) is missing, although the database is at \(last)")
        }
        return pending
    }
}

extension PostgresSession {
    fileprivate nonisolated(nonsending) func apply(
        _ migration: PostgresMigration, checksum: String, timeout: Duration
    ) async throws {
        // An error leaves the transaction open; it ends with the session.
        try await execute(script: "BEGIN")
        try await execute(script: migration.sql, timeout: timeout)
        // Refused by the server (25P01) if the text has ended the transaction that its row belongs to.
        try await execute(script: "SAVEPOINT migrated")
        _ = try await query(
            MigrationSQL.record, .int4(Int32(clamping: migration.number)), .text(migration.name), .text(checksum))
        try await execute(script: "COMMIT")
    }
}

private enum MigrationSQL {
    static let createTable: PostgresStatement = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now())
        """
    static let applied: PostgresStatement = "SELECT number, name, checksum FROM schema_migrations ORDER BY number"
    static let checksums: PostgresStatement = """
        SELECT md5(migration.sql) FROM unnest($1) WITH ORDINALITY AS migration (sql, position) ORDER BY position
        """
    static let record: PostgresStatement = "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)"
}
