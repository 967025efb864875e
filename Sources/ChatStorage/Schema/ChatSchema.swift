import CommonUtil
import Logging
import PostgresClient

/// The database schema of this release.
public enum ChatSchema {
    /// The advisory lock of migrations, the same in all releases: "chat" in ASCII.
    private static let lockKey: Int64 = 0x6368_6174

    /// The oldest major version of PostgreSQL that this release supports.
    static let minimumVersion = 15

    static let migrations = [
        PostgresMigration(number: 1, name: "initial", sql: initialMigration),
        PostgresMigration(number: 2, name: "read marks", sql: readMarksMigration),
        PostgresMigration(number: 3, name: "joined seq", sql: joinedSeqMigration),
        PostgresMigration(number: 4, name: "membership and names", sql: membershipAndNamesMigration),
        PostgresMigration(number: 5, name: "revocations", sql: revocationsMigration),
        PostgresMigration(number: 6, name: "room list", sql: roomListMigration),
        PostgresMigration(number: 7, name: "own users and keys", sql: ownUsersMigration),
        PostgresMigration(number: 8, name: "feed of changes", sql: changeFeedMigration),
        PostgresMigration(number: 9, name: "import", sql: importMigration),
        PostgresMigration(number: 10, name: "files", sql: filesMigration),
    ]

    /// Checks that the database can be used, and migrates it. Several processes may call this at once.
    /// - Returns: the numbers of the migrations that were run now.
    /// - Throws: `ConfigurationError` if `CHAT_DATABASE_URL` leads to a database that can never be used: PostgreSQL
    ///   is too old, the encoding is not UTF-8, or a pooler runs in transaction mode.
    @discardableResult
    public static func migrate(_ client: PostgresClient) async throws -> [Int] {
        do {
            try await client.checkRequirements(minimumVersion: minimumVersion)
        } catch PostgresError.invalidConfiguration(let reason) {
            throw ConfigurationError("\(Settings.databaseURL.name) cannot be used: \(reason)")
        }
        return try await client.migrate(migrations, lockKey: lockKey)
    }

    /// Waits for the database, without a limit, and migrates it.
    /// - Throws: where the database cannot be used (``migrate(_:)``), where it belongs to a newer release, or where it
    ///   has to be migrated and the role may not change it.
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
