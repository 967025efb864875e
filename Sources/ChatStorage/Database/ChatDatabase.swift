import CommonUtil
import PostgresClient

/// PostgreSQL as the repositories see it: a failure of the moment becomes the error that clients are told.
public struct ChatDatabase: Sendable {
    let client: PostgresClient

    public init(_ client: PostgresClient) { self.client = client }

    /// - Throws: `unavailable` (503) while PostgreSQL does not answer; any other ``PostgresError`` as it is.
    func query(_ statement: PostgresStatement, _ parameters: PostgresParameter...) async throws -> PostgresRows {
        try await query(statement, parameters)
    }

    func query(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) async throws -> PostgresRows {
        try await translating { try await client.query(statement, parameters) }
    }

    func batch(_ commands: [PostgresCommand]) async throws -> [PostgresRows] {
        try await translating { try await client.batch(commands) }
    }

    func withTransaction<Result: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> Result
    ) async throws -> Result {
        try await translating { try await client.withTransaction { try await body($0) } }
    }

    private func translating<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as PostgresError {
            throw Self.told(error)
        }
    }

    /// What a client is told: that the request may be sent again (503), where it was the moment that was wrong and not
    /// the request, or where nobody knows what became of it. Every other error is a fault of ours and stays what it is.
    static func told(_ error: PostgresError) -> any Error {
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
