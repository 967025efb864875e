import Logging
import Synchronization

/// Requirements that a server has to meet before it is used.
enum ServerRequirements {
    /// - Parameters:
    ///   - version: `server_version_num`, 150004 for 15.4.
    ///   - minimum: the oldest supported major version.
    /// - Returns: the violated requirement, for an operator; `nil` if all are met.
    static func violation(version: Int, encoding: String, minimum: Int) -> String? {
        if version < minimum * 10_000 {
            return "the server is PostgreSQL \(version / 10_000), and it has to be \(minimum) or newer"
        }
        if encoding != "UTF8" {
            return "the database's encoding is \(encoding), and it has to be UTF8 (CREATE DATABASE … ENCODING 'UTF8')"
        }
        return nil
    }

    static let sharedSessions = """
        it leads through a pooler that gives each transaction another connection, and sessions are needed: set \
        pool_mode = session for this database (PgBouncer), or connect to PostgreSQL itself
        """
}

extension PostgresClient {
    private static let versionAndEncoding: PostgresStatement = """
        SELECT current_setting('server_version_num')::integer, getdatabaseencoding()::text
        """

    /// Checks the server's version, its database's encoding, and that a connection is a session. Uses connections of
    /// its own, which it closes.
    ///
    /// - Throws: ``PostgresError/invalidConfiguration(_:)`` with the violated requirement; any other error where the
    ///   server could not be asked.
    public func checkRequirements(minimumVersion: Int) async throws(PostgresError) {
        var configuration = configuration
        configuration.maximumConnections = 2
        // Behind a pooler in transaction mode this client would meet the prepared statements of others.
        configuration.maximumPreparedStatements = 0
        configuration.metricPrefix = nil
        let client = PostgresClient(
            configuration: configuration, logger: Logger(label: "postgres") { _ in SwiftLogNoOpLogHandler() })
        let result = await Self.requirements(of: client, minimumVersion: minimumVersion)
        await client.close()
        try result.get()
    }

    private static func requirements(
        of client: PostgresClient, minimumVersion: Int
    ) async -> Result<Void, PostgresError> {
        do throws(PostgresError) {
            let rows = try await client.query(versionAndEncoding)
            guard rows.count == 1 else { throw .decoding("no version") }
            let (version, encoding) = try rows[0].decode(Int.self, String.self)
            var violation = ServerRequirements.violation(
                version: version, encoding: encoding, minimum: minimumVersion)
            if violation == nil, client.pool.isPooled.load(ordering: .relaxed), try await client.sharesSessions() {
                violation = ServerRequirements.sharedSessions
            }
            if let violation { throw .invalidConfiguration(violation) }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// Whether a setting of one connection is visible on another, or lost: that is a pooler in transaction mode, which
    /// assigns the server's connections to transactions, the most recently used one first.
    private func sharesSessions() async throws(PostgresError) -> Bool {
        let mark = String(UInt64.random(in: 1...UInt64.max), radix: 16)
        do {
            return try await withConnection { first in
                _ = try await first.query("SELECT set_config('session_check.mark', $1, false)", .text(mark))
                return try await withConnection(timeout: .seconds(2)) { second in
                    // Keeps the server's connection that it is assigned.
                    guard (try? await second.execute(script: "BEGIN")) != nil else { return true }
                    if try await second.hasMark(mark) { return true }
                    return try await !first.hasMark(mark)
                }
            }
        } catch PostgresError.timedOut, PostgresError.connectFailed {
            // The pooler assigns no other connection while the first is in use: these are sessions.
            return false
        } catch {
            throw error as? PostgresError ?? .closed
        }
    }
}

extension PostgresSession {
    fileprivate nonisolated(nonsending) func hasMark(_ mark: String) async throws -> Bool {
        try await query("SELECT current_setting('session_check.mark', true) IS NOT DISTINCT FROM $1", .text(mark))[0]
            .decode(Bool.self)
    }
}
