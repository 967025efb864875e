/// Something that runs statements: the client, a transaction or a session.
public protocol PostgresQueryable: Sendable {
    /// Runs several statements in one round trip.
    ///
    /// The client runs them as one transaction: all of them, or none. In a ``PostgresTransaction`` they are a part of
    /// it. In a ``PostgresSession`` they are a transaction, unless one is open.
    ///
    /// - Parameters:
    ///   - commands: an empty list is no request.
    ///   - timeout: from the call to the response, waiting included; `nil` is ``PostgresConfiguration/queryTimeout``.
    ///     In a transaction it also becomes the server's `statement_timeout` for the rest of it.
    /// - Returns: one result for each command, after the commit.
    /// - Throws: the error of the first statement that failed. ``PostgresError/isOutcomeUnknown`` says whether the
    ///   statements may have been committed.
    nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows]
}

extension PostgresQueryable {
    /// Runs several statements, with the usual timeout.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand]
    ) async throws(PostgresError) -> [PostgresRows] {
        try await batch(commands, timeout: nil)
    }

    /// Runs one statement, as ``batch(_:timeout:)``.
    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: [PostgresParameter], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        guard let rows = try await batch([PostgresCommand(statement, parameters)], timeout: timeout).first else {
            throw .decoding("no result")
        }
        return rows
    }

    /// Runs one statement, as ``batch(_:timeout:)``.
    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: PostgresParameter..., timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await query(statement, parameters, timeout: timeout)
    }
}

/// An open transaction, inside ``PostgresClient/withTransaction(timeout:_:)``.
///
/// Once a statement has failed the server refuses all further ones; let the error leave `body`.
public struct PostgresTransaction: PostgresQueryable {
    let pool: PostgresPool
    let lease: LeaseID

    /// Runs several statements as a part of the transaction.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows] {
        try await pool.batch(commands, lease: lease, timeout: timeout)
    }
}

/// A connection for exclusive use, inside ``PostgresClient/withConnection(timeout:_:)``.
public struct PostgresSession: PostgresQueryable {
    let pool: PostgresPool
    let lease: LeaseID

    /// Runs several statements as one transaction, unless one is open.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows] {
        try await pool.batch(commands, lease: lease, timeout: timeout)
    }

    /// Runs SQL text with any number of statements and no parameters: one transaction, unless it says otherwise.
    /// - Parameter timeout: also becomes the session's `statement_timeout` from here on.
    public nonisolated(nonsending) func execute(
        script: String, timeout: Duration? = nil
    ) async throws(PostgresError) {
        let limit = timeout.map { "SET statement_timeout = \(StatementTimeout.milliseconds(within: $0))" }
        _ = try await pool.run(.script([limit, script].compactMap { $0 }), lease: lease, timeout: timeout)
    }
}
