import Testing

@testable import PostgresClient

/// Connections of one's own: transactions, sessions, migrations.
@Suite(.timeLimit(.minutes(2))) struct TransactionTests {
    private struct Refusal: Error {}

    @Test func `commits on return and rolls back on an error`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await client.script("CREATE TABLE transaction_test (id int8)")
            let insert: PostgresStatement = "INSERT INTO transaction_test VALUES ($1)"
            let sum = try await client.withTransaction { transaction in
                _ = try await transaction.batch([PostgresCommand(insert, .int8(1)), PostgresCommand(insert, .int8(2))])
                return try await transaction.query("SELECT sum(id)::int8 FROM transaction_test")[0].decode(Int.self)
            }
            #expect(sum == 3)
            await #expect(throws: Refusal.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query(insert, .int8(3))
                    throw Refusal()
                }
            }
            #expect(try await client.number("SELECT count(*) FROM transaction_test") == 2)
            #expect(try await client.backends().count == 1)
        }
    }

    @Test func `an error that the body ignores does not commit`() async throws {
        try await withClient { client in
            let error = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { transaction in
                    _ = try? await transaction.query("SELECT 1/0")
                }
            }
            #expect(error?.sqlState == .inFailedTransaction)
        }
    }

    @Test func `an empty transaction succeeds, and one that ended itself fails`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            let answer = try await client.withTransaction { _ in 42 }
            #expect(answer == 42)
            let error = await #expect(throws: PostgresError.self) {
                try await client.withTransaction { transaction in
                    _ = try await transaction.query("COMMIT")
                    _ = try await transaction.query("SELECT 1")
                }
            }
            #expect(error == .closed)
            #expect(try await client.number("SELECT 1") == 1)
        }
    }

    @Test func `a lease that has ended is refused`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            let escaped = try await client.withTransaction { transaction in
                _ = try await transaction.query("SELECT 1")
                return transaction
            }
            await #expect(throws: PostgresError.closed) { try await escaped.query("SELECT 1") }
        }
    }

    @Test func `leases are exclusive and shared requests go on beside`() async throws {
        try await withClient { client in
            try await client.withTransaction { transaction in
                let own = try await transaction.query("SELECT pg_backend_pid()")[0].decode(Int32.self)
                try await withThrowingTaskGroup(of: Int32.self) { group in
                    for _ in 0..<50 {
                        group.addTask { try await client.query("SELECT pg_backend_pid()")[0].decode(Int32.self) }
                    }
                    for try await other in group { #expect(other != own) }
                }
            }
        }
    }

    @Test func `many transactions and queries get through on one connection`() async throws {
        try await withClient({ $0.maximumConnections = 1 }) { client in
            try await client.script("CREATE TABLE counter_test (value int8); INSERT INTO counter_test VALUES (0)")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        guard number % 2 == 0 else { return _ = try await client.query("SELECT 1") }
                        try await client.withTransaction { transaction in
                            _ = try await transaction.query("UPDATE counter_test SET value = value + 1")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await client.number("SELECT value FROM counter_test") == 50)
            #expect(try await client.backends().count == 1)
        }
    }

    @Test func `the locks of a session end with it`() async throws {
        try await withClient { client in
            let unlock: PostgresStatement = "SELECT pg_try_advisory_lock(77)"
            try await client.withConnection { session in
                #expect(try await session.query(unlock)[0].decode(Bool.self))
                try await session.execute(script: "SELECT 1; SELECT 2; CREATE TEMP TABLE t (a int)")
                await #expect(throws: PostgresError.self) { try await session.execute(script: "SELECT 1; SELEC") }
                #expect(try await session.query("SELECT count(*) FROM t")[0].decode(Int.self) == 0)
                #expect(try await client.query(unlock)[0].decode(Bool.self) == false)
            }
            try await eventually("the lock is free") { try await client.query(unlock)[0].decode(Bool.self) }
        }
    }

    // MARK: Migrations

    private let first = PostgresMigration(
        number: 1, name: "one", sql: "CREATE TABLE m.one (id int8); INSERT INTO m.one VALUES (1)")
    private let second = PostgresMigration(number: 2, name: "two", sql: "ALTER TABLE m.one ADD COLUMN name text")

    @Test func `migrations are applied once by concurrent processes`() async throws {
        try await withDatabase { url in
            let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
                for _ in 0..<3 {
                    group.addTask { [first, second] in try await migrate(url, [second, first]) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(applied.flatMap { $0 }.sorted() == [1, 2])
            #expect(try await migrate(url, [first, second]).isEmpty)
        }
    }

    @Test func `migrations that contradict the database are refused`() async throws {
        try await withDatabase { url in
            let applied = try await migrate(url, [first, second])
            #expect(applied == [1, 2])
            let changed = PostgresMigration(number: 2, name: "two", sql: "SELECT 1")
            await #expect(throws: PostgresError.migration("migration 2 (two) was changed after it had been applied")) {
                try await migrate(url, [first, changed])
            }
            await #expect(
                throws: PostgresError.migration("the database has migration 2 (two), which is newer than this program")
            ) {
                try await migrate(url, [first])
            }
        }
    }

    @Test func `a migration that fails leaves nothing`() async throws {
        try await withDatabase { url in
            let broken = PostgresMigration(number: 2, name: "two", sql: "CREATE TABLE m.two (id int8); SELEC")
            let error = await #expect(throws: PostgresError.self) { try await migrate(url, [first, broken]) }
            #expect(error?.sqlState == .syntaxError)
            let closing = PostgresMigration(number: 2, name: "two", sql: "COMMIT")
            let refused = await #expect(throws: PostgresError.self) { try await migrate(url, [first, closing]) }
            #expect(refused == .migration("migration 2 ends the transaction that it is run in"))
            let applied = try await migrate(url, [first, second])
            #expect(applied == [2])
        }
    }

    private func migrate(_ url: String, _ migrations: [PostgresMigration]) async throws -> [Int] {
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
        defer { Task { await client.close() } }
        return try await client.migrate(migrations, lockKey: 4711)
    }

    /// An empty database of its own.
    private func withDatabase(_ body: (String) async throws -> Void) async throws {
        try await withClient { client in
            let name = "migrations_\(client.configuration.applicationName.suffix(8).lowercased())"
            _ = try await client.query(PostgresStatement("CREATE DATABASE \(name)"))
            let url = PostgresFixture.shared.url(database: name)
            let inside = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
            try await inside.script("CREATE SCHEMA m")
            await inside.close()
            try await body(url)
        }
    }
}
