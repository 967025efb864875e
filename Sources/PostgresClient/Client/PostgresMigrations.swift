import Logging

/// One step of a schema: SQL text with any number of statements, none of which begins or ends a transaction.
public struct PostgresMigration: Sendable, Hashable {
    /// Counts from 1. A released migration must not change.
    public let number: Int
    /// For logs and errors.
    public let name: String
    /// The statements.
    public let sql: String

    /// - Parameter sql: the text whose checksum is stored with the migration.
    public init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }
}

extension PostgresClient {
    /// Applies the pending migrations, each in a transaction together with its row in `schema_migrations`. Several
    /// processes may do this at once: an advisory lock lets one do the work. The lock belongs to the transaction, so it
    /// is released whatever happens to this process and whatever a pooler does with the session.
    ///
    /// A database that is up to date is only read, for which a role without schema privileges suffices.
    ///
    /// - Parameters:
    ///   - lockKey: the key of `pg_advisory_xact_lock`, the same for all processes.
    ///   - timeout: for the lock, and for each migration.
    /// - Returns: the numbers of the migrations that were applied now.
    /// - Throws: ``PostgresError/migration(_:)``, with the database left as it is, if an applied migration differs from
    ///   the one given here, if the database has one that is not given (it is newer than this program), or if there is
    ///   one to apply and the role may not.
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
            let checksums = try await session.query(
                MigrationSQL.checksums, .textArray(migrations.map(\.sql))
            ).map { row throws(PostgresError) in try row.decode(String.self) }
            let plan = MigrationPlan(migrations: migrations, checksums: checksums)
            var done: [Int] = []
            while true {
                let known = try await session.appliedMigrations()
                guard try plan.next(applied: known) != nil,
                    // Another process may be faster: then there is nothing left to do here.
                    let applied = try await session.migrate(plan, lockKey: lockKey, timeout: timeout)
                else { return done }
                logger.info(
                    "migration applied",
                    metadata: ["number": .stringConvertible(applied.number), "name": "\(applied.name)"])
                done.append(applied.number)
            }
        }
    }
}

/// The migrations of this program, to be compared with those of a database.
struct MigrationPlan: Sendable {
    /// A migration of the database.
    struct Applied: Sendable {
        var number: Int
        var name: String
        var checksum: String
    }

    /// A migration to apply.
    struct Pending: Sendable {
        var migration: PostgresMigration
        var checksum: String
    }

    /// In the order of their numbers.
    let migrations: [PostgresMigration]
    /// The checksum of each of them.
    let checksums: [String]

    /// The next migration to apply; `nil` if none is pending.
    /// - Parameter applied: the migrations of the database; `nil` if it has no table of them.
    /// - Throws: ``PostgresError/migration(_:)`` where they contradict these.
    func next(applied: [Applied]?) throws(PostgresError) -> Pending? {
        let applied = applied ?? []
        let given = Dictionary(uniqueKeysWithValues: zip(migrations.map(\.number), checksums))
        for applied in applied {
            let (number, name) = (applied.number, applied.name)
            guard let expected = given[number] else {
                throw .migration("the database has migration \(number) (\(name)), which is newer than this program")
            }
            guard expected == applied.checksum else {
                throw .migration("migration \(number) (\(name)) was changed after it had been applied")
            }
        }
        let done = Set(applied.map(\.number))
        guard let index = migrations.firstIndex(where: { !done.contains($0.number) }) else { return nil }
        if let last = done.max(), migrations[index].number < last {
            throw .migration("migration \(migrations[index].number) is missing, although the database is at \(last)")
        }
        return Pending(migration: migrations[index], checksum: checksums[index])
    }
}

extension PostgresSession {
    /// The migrations of the database; `nil` if it has no table of them.
    fileprivate nonisolated(nonsending) func appliedMigrations() async throws -> [MigrationPlan.Applied]? {
        guard try await query(MigrationSQL.hasTable)[0].decode(Bool.self) else { return nil }
        return try await query(MigrationSQL.applied).map { row throws(PostgresError) in
            let (number, name, checksum) = try row.decode(Int.self, String.self, String.self)
            return MigrationPlan.Applied(number: number, name: name, checksum: checksum)
        }
    }

    /// Applies the next migration under the lock, in one transaction.
    /// - Returns: the applied migration; `nil` if another process has applied all meanwhile.
    fileprivate nonisolated(nonsending) func migrate(
        _ plan: MigrationPlan, lockKey: Int64, timeout: Duration
    ) async throws -> PostgresMigration? {
        // An error leaves the transaction open; it ends with the session.
        // Not REPEATABLE READ, which a role may have as its default: the reads after the lock need a new snapshot.
        try await execute(script: "BEGIN ISOLATION LEVEL READ COMMITTED")
        _ = try await query("SELECT pg_advisory_xact_lock($1)", .int8(lockKey), timeout: timeout)
        let known = try await appliedMigrations()
        guard let next = try plan.next(applied: known) else {
            try await execute(script: "COMMIT")
            return nil
        }
        if known == nil { try await change(MigrationSQL.createTable, for: next.migration, timeout: timeout) }
        try await change(next.migration.sql, for: next.migration, timeout: timeout)
        try await checkTransaction(of: next.migration)
        _ = try await query(
            MigrationSQL.record, .int4(Int32(clamping: next.migration.number)), .text(next.migration.name),
            .text(next.checksum))
        try await execute(script: "COMMIT")
        return next.migration
    }

    private nonisolated(nonsending) func change(
        _ script: String, for migration: PostgresMigration, timeout: Duration
    ) async throws(PostgresError) {
        do {
            try await execute(script: script, timeout: timeout)
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            throw .migration(
                "migration \(migration.number) is to be applied, and this role may not change the schema "
                    + "(\(error.serverError?.message ?? ""))")
        }
    }

    /// Checks that the text has not ended its transaction, for which the server refuses this (25P01).
    private nonisolated(nonsending) func checkTransaction(of migration: PostgresMigration) async throws(PostgresError) {
        do {
            try await execute(script: "SAVEPOINT migrated")
        } catch {
            guard error.sqlState == .noActiveTransaction else { throw error }
            throw .migration("migration \(migration.number) ends the transaction that it is run in")
        }
    }
}

private enum MigrationSQL {
    // Not `to_regclass`, which may use a snapshot from before the wait for the lock.
    static let hasTable: PostgresStatement = """
        SELECT EXISTS (SELECT FROM pg_catalog.pg_class
            WHERE relname = 'schema_migrations' AND pg_catalog.pg_table_is_visible(oid))
        """
    static let createTable = """
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
