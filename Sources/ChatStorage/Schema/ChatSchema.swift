import CommonUtil
import Logging
import PostgresClient

/// The database as this release expects it.
public enum ChatSchema {
    /// Any number will do as long as all releases use the same one: "chat" in ASCII.
    private static let lockKey: Int64 = 0x6368_6174

    /// The oldest PostgreSQL that this release is tested with, and whose SQL it speaks.
    static let minimumVersion = 15

    static let migrations = [
        PostgresMigration(number: 1, name: "initial", sql: initialMigration),
        PostgresMigration(number: 2, name: "read marks", sql: readMarksMigration),
        PostgresMigration(number: 3, name: "joined seq", sql: joinedSeqMigration),
        PostgresMigration(number: 4, name: "membership and names", sql: membershipAndNamesMigration),
        PostgresMigration(number: 5, name: "revocations", sql: revocationsMigration),
    ]

    /// Looks whether the database can be used, and brings it up to date. Several processes may call this at once.
    /// - Returns: the numbers of the migrations that were run now.
    /// - Throws: `ConfigurationError` where `CHAT_DATABASE_URL` leads to what can never be used: PostgreSQL that is too
    ///   old, a database that is not UTF-8, a pooler that gives transactions to clients and not sessions.
    @discardableResult
    public static func migrate(_ client: PostgresClient) async throws -> [Int] {
        do {
            try await client.checkRequirements(minimumVersion: minimumVersion)
        } catch PostgresError.invalidConfiguration(let reason) {
            throw ConfigurationError("\(Settings.databaseURL.name) cannot be used: \(reason)")
        }
        return try await client.migrate(migrations, lockKey: lockKey)
    }

    /// Waits for the database, however long it takes to come up, and brings it up to date.
    /// - Throws: where the database cannot be used (``migrate(_:)``), where it belongs to a newer release, or where it is
    ///   not up to date and the role may not change it.
    public static func migrateWhenReachable(_ client: PostgresClient, logger: Logger) async throws {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(3))
        while true {
            do {
                let applied = try await migrate(client)
                if !applied.isEmpty { logger.info("migrated the database", metadata: ["migrations": "\(applied)"]) }
                return
            } catch let error as PostgresError where error.isTransient {
                logger.notice("waiting for the database", metadata: ["reason": "\(error)"])
                try await Task.sleep(for: backoff.next())
            }
        }
    }
}
