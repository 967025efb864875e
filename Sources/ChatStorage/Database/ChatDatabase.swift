import CommonUtil
import PostgresClient

/// PostgreSQL for the repositories: transient failures become the error that clients get (503).
public struct ChatDatabase: Sendable {
    let client: PostgresClient

    /// - Parameter client: run by the caller.
    public init(_ client: PostgresClient) { self.client = client }

    /// Runs one statement.
    /// - Throws: `unavailable` (503) while PostgreSQL does not respond; any other ``PostgresError`` as it is.
    func query(_ statement: PostgresStatement, _ parameters: PostgresParameter...) async throws -> PostgresRows {
        try await query(statement, parameters)
    }

    /// Runs one statement, as ``query(_:_:)-(PostgresStatement,PostgresParameter...)``.
    func query(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) async throws -> PostgresRows {
        try await translating { try await client.query(statement, parameters) }
    }

    /// Runs several statements as one transaction, in one round trip.
    func batch(_ commands: [PostgresCommand]) async throws -> [PostgresRows] {
        try await translating { try await client.batch(commands) }
    }

    /// Runs a transaction, which ends with `body`.
    func withTransaction<Result: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> Result
    ) async throws -> Result {
        try await translating { try await client.withTransaction { try await body($0) } }
    }

    /// Runs a transaction, as ``withTransaction(_:)``, and again where it lost a conflict with another one. Nothing of it was
    /// stored then.
    func withRepeatedTransaction<Result: Sendable>(
        attempts: Int = 8, _ body: @Sendable (PostgresTransaction) async throws -> Result
    ) async throws -> Result {
        var backoff = Backoff(first: .milliseconds(5), longest: .milliseconds(500))
        var attempt = 1
        return try await translating {
            while true {
                do {
                    return try await client.withTransaction { try await body($0) }
                } catch let error as PostgresError where error.isRetryableConflict && attempt < attempts {
                    attempt += 1
                    try await Task.sleep(for: backoff.next())
                }
            }
        }
    }

    private func translating<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as PostgresError {
            throw Self.clientError(for: error)
        }
    }

    /// The error that a client gets: `unavailable` (503, send the request again) where the failure is transient or its
    /// outcome is unknown. Every other error is a fault of this program and stays as it is.
    static func clientError(for error: PostgresError) -> any Error {
        switch error {
        case .closed, .cancelled: unavailable(error)
        default: error.isTransient || error.isOutcomeUnknown ? unavailable(error) : error
        }
    }

    private static func unavailable(_ error: PostgresError) -> ChatError {
        .unavailable(
            error.isOutcomeUnknown
                ? "The database did not answer in time; it is not known whether the request was carried out"
                : "The database is not available right now; nothing was stored")
    }
}

/// Columns as types of this program.
extension PostgresRow {
    func timestamp(column: Int) throws(PostgresError) -> Timestamp {
        Timestamp(microseconds: try decode(column: column, as: PostgresTimestamp.self).microsecondsSinceEpoch)
    }

    func optionalTimestamp(column: Int) throws(PostgresError) -> Timestamp? {
        let timestamp = try decode(column: column, as: PostgresTimestamp?.self)
        return timestamp.map { Timestamp(microseconds: $0.microsecondsSinceEpoch) }
    }

    func userID(column: Int) throws(PostgresError) -> UserID { UserID(try decode(column: column, as: Int64.self)) }

    func optionalUserID(column: Int) throws(PostgresError) -> UserID? {
        try decode(column: column, as: Int64?.self).map(UserID.init(_:))
    }

    /// Reads a text that is the raw value of an enumeration.
    func enumValue<Value: RawRepresentable<String>>(column: Int, as _: Value.Type = Value.self) throws(PostgresError)
        -> Value
    {
        guard let value = try optionalEnumValue(column: column, as: Value.self) else {
            throw .decoding("\(Value.self) is never NULL")
        }
        return value
    }

    /// Reads a text that is the raw value of an enumeration, or NULL.
    /// - Throws: ``PostgresError/decoding(_:)`` also for an unknown value, which is never read as `nil`.
    func optionalEnumValue<Value: RawRepresentable<String>>(
        column: Int, as _: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        guard let text = try decode(column: column, as: String?.self) else { return nil }
        guard let value = Value(rawValue: text) else { throw .decoding("\(Value.self) is never '\(text)'") }
        return value
    }
}

extension PostgresParameter {
    static func timestamptz(_ timestamp: Timestamp) -> Self {
        .timestamptz(microsecondsSinceEpoch: timestamp.microseconds)
    }

    static func timestamptzArray(_ timestamps: [Timestamp?]) -> Self {
        .timestamptzArray(microsecondsSinceEpoch: timestamps.map { $0?.microseconds })
    }
}
