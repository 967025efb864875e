/// An open transaction, inside ``PostgresClient/withTransaction(_:timeout:_:)``.
///
/// Once a statement has failed the server refuses all further ones; let the error leave `body`.
public struct PostgresTransaction: Sendable {
    /// PostgreSQL manual, section 13.2.
    public enum Mode: Sendable, Hashable {
        case readCommitted, repeatableRead, serializable
        /// One snapshot for all statements, no writes.
        case snapshot

        var begin: PostgresStatement {
            switch self {
            case .readCommitted: "BEGIN ISOLATION LEVEL READ COMMITTED"
            case .repeatableRead: "BEGIN ISOLATION LEVEL REPEATABLE READ"
            case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE"
            case .snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
        }
    }

    let pool: PostgresPool
    let lease: LeaseID

    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: PostgresParameter..., timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await query(statement, parameters, timeout: timeout)
    }

    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: [PostgresParameter], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await pool.one(PostgresCommand(statement, parameters), lease: lease, timeout: timeout)
    }

    /// Several statements in one round trip.
    ///
    /// A `timeout` here, as in `query`, sets the server's `statement_timeout` for the rest of the transaction.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresRows] {
        try await pool.batch(commands, lease: lease, timeout: timeout)
    }
}

/// A connection of one's own, inside ``PostgresClient/withConnection(timeout:_:)``.
public struct PostgresSession: Sendable {
    let pool: PostgresPool
    let lease: LeaseID

    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: PostgresParameter..., timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await query(statement, parameters, timeout: timeout)
    }

    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: [PostgresParameter], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await pool.one(PostgresCommand(statement, parameters), lease: lease, timeout: timeout)
    }

    /// Several statements in one round trip: one transaction, unless one is open.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresRows] {
        try await pool.batch(commands, lease: lease, timeout: timeout)
    }

    /// Runs SQL text with any number of statements and no parameters: one transaction, unless it says otherwise.
    ///
    /// A timeout given here also becomes the session's `statement_timeout` from here on.
    public nonisolated(nonsending) func execute(
        script: String, timeout: Duration? = nil
    ) async throws(PostgresError) {
        let limit = timeout.map { "SET statement_timeout = \(StatementTimeout.milliseconds(within: $0))" }
        _ = try await pool.run(.script([limit, script].compactMap { $0 }), lease: lease, timeout: timeout)
    }
}
