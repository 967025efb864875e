import CommonUtil
import Logging
import PostgresClient

/// The database as this release expects it.
public enum ChatSchema {
    /// Any number will do as long as all releases use the same one: "chat" in ASCII.
    private static let lockKey: Int64 = 0x6368_6174

    static let migrations = [
        PostgresMigration(number: 1, name: "initial", sql: initialMigration),
        PostgresMigration(number: 2, name: "read marks", sql: readMarksMigration),
        PostgresMigration(number: 3, name: "joined seq", sql: joinedSeqMigration),
        PostgresMigration(number: 4, name: "membership and names", sql: membershipAndNamesMigration),
        PostgresMigration(number: 5, name: "revocations", sql: revocationsMigration),
    ]

    /// Brings the database up to date. Several processes may call this at once.
    /// - Returns: the numbers of the migrations that were run now.
    @discardableResult
    public static func migrate(_ client: PostgresClient) async throws -> [Int] {
        try await client.migrate(migrations, lockKey: lockKey)
    }

    /// Waits for the database, however long it takes to come up, and brings it up to date.
    /// - Throws: where the database cannot be used: it belongs to a newer release, or the role may not make tables.
    public static func migrateWhenReachable(_ client: PostgresClient, logger: Logger) async throws {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(3))
        while true {
            do {
                let applied = try await client.migrate(migrations, lockKey: lockKey)
                if !applied.isEmpty { logger.info("migrated the database", metadata: ["migrations": "\(applied)"]) }
                return
            } catch let error as PostgresError where error.isTransient {
                logger.notice("waiting for the database", metadata: ["reason": "\(error)"])
                try await Task.sleep(for: backoff.next())
            }
        }
    }
}
