import CommonUtil
import Logging
import PostgresClient
import ServiceLifecycle

/// Indexes the names of users and rooms that a release without name search has stored: before the migration, or while
/// servers are being replaced.
///
/// A partial index lists these rows, so a pass without any costs nothing.
public struct NameIndexer: Service {
    private static let interval = Duration.seconds(60)
    /// Names in a transaction; few, since it locks their rows.
    static let batchSize = 200

    private let database: ChatDatabase
    private let logger: Logger
    private let gate = StartGate()

    /// - Parameter database: the database to index.
    public init(_ database: ChatDatabase, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Starts the work, once the database is migrated.
    public func begin() { gate.open() }

    /// Indexes names until graceful shutdown, from ``begin()`` on.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            await gate.wait()
            var backoff = Backoff(first: .seconds(1), longest: Self.interval)
            while !Task.isCancelled {
                do {
                    let count = try await catchUp()
                    if count > 0 { logger.info("indexed names", metadata: ["count": .stringConvertible(count)]) }
                    backoff.reset()
                    try await Task.sleep(for: Self.interval)
                } catch {
                    logger.debug("names are indexed later", metadata: ["reason": "\(error)"])
                    try await Task.sleep(for: backoff.next())
                }
            }
        }
    }

    /// Indexes all names that are not.
    /// - Returns: the number of indexed names.
    @discardableResult
    func catchUp() async throws -> Int {
        var count = 0
        for batch in [indexUsers, indexRooms] {
            var last: Int
            repeat {
                last = try await batch()
                count += last
            } while last > 0
        }
        return count
    }

    private func indexUsers() async throws -> Int {
        try await database.withTransaction { transaction in
            let rows = try await transaction.query(Self.selectUsers, .int8(Self.batchSize))
            let commands = try rows.flatMap { row in
                let (userID, username, displayName) = try row.decode(Int64.self, String?.self, String.self)
                return NameSuffixes.replaceForUser(UserID(userID), username: username, displayName: displayName)
            }
            if !commands.isEmpty { _ = try await transaction.batch(commands) }
            return rows.count
        }
    }

    private func indexRooms() async throws -> Int {
        try await database.withTransaction { transaction in
            let rows = try await transaction.query(Self.selectRooms, .int8(Self.batchSize))
            let commands = try rows.flatMap { row in
                let (roomID, name) = try row.decode(String.self, String.self)
                return NameSuffixes.replaceForRoom(RoomID(verified: roomID), name: name)
            }
            if !commands.isEmpty { _ = try await transaction.batch(commands) }
            return rows.count
        }
    }

    // Locked rows are left for the next pass.
    private static let selectUsers = PostgresStatement(
        """
        SELECT user_id, username, display_name FROM users WHERE indexed_name IS DISTINCT FROM display_name
        ORDER BY user_id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
        """)
    private static let selectRooms = PostgresStatement(
        """
        SELECT room_id, name FROM rooms
        WHERE type = '\(RoomType.public.rawValue)' AND archived_at IS NULL AND indexed_name IS DISTINCT FROM name
        ORDER BY room_id LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
        """)
}
