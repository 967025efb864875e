import CommonUtil
import PostgresClient

/// Refresh tokens, kept only as hashes. Those that grew out of one login are a family; the second use of any one of
/// them means that it was copied, and ends the family (RFC 9700 section 4.14.2).
public struct RefreshTokenRepository: Sendable {
    /// What came of showing a token.
    public enum Rotation: Equatable, Sendable {
        case rotated(UserID)
        /// Unknown, expired, or of a family that has ended.
        case unknown
        /// Used before; its family has ended now.
        case reused
    }

    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    /// Begins a family: a login. Tokens long expired are cleared away on the way.
    public func insert(hash: [UInt8], userID: UserID, lifetimeSeconds: Int) async throws {
        _ = try await database.batch([
            PostgresCommand(Self.insert, .bytea(hash), .int8(userID.rawValue), .int8(lifetimeSeconds)),
            PostgresCommand(Self.deleteExpired),
        ])
    }

    /// Replaces a token by its successor.
    public func rotate(
        hash: [UInt8], successorHash: [UInt8], lifetimeSeconds: Int
    ) async throws -> Rotation {
        try await database.withTransaction { transaction in
            // The row lock makes two uses at once take turns: the later one sees the earlier one's mark.
            guard let row = try await transaction.query(Self.lock, .bytea(hash)).first else { return .unknown }
            let (familyID, userID, isUsed, isExpired) = try row.decode(
                Int64.self, Int64.self, Bool.self, Bool.self)
            if isUsed {
                try await Self.endFamily(familyID, transaction)
                return .reused
            }
            guard !isExpired else { return .unknown }
            _ = try await transaction.query(Self.markUsed, .bytea(hash))
            _ = try await transaction.query(
                Self.insertSuccessor, .bytea(successorHash), .int8(familyID), .int8(userID), .int8(lifetimeSeconds))
            return .rotated(UserID(userID))
        }
    }

    /// Ends the family of a token: a logout. An unknown token is no error.
    public func endFamily(ofHash hash: [UInt8]) async throws {
        try await database.withTransaction { transaction in
            guard let row = try await transaction.query(Self.selectFamily, .bytea(hash)).first else { return }
            try await Self.endFamily(try row.decode(column: 0), transaction)
        }
    }

    /// Until nothing is left: a rotation under way makes the statement wait at the old token, and its successor is
    /// only seen by the next one.
    private static func endFamily(_ familyID: Int64, _ transaction: PostgresTransaction) async throws {
        while try await transaction.query(deleteFamily, .int8(familyID)).affectedRows > 0 {}
    }

    private static let insert = PostgresStatement(
        """
        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
        VALUES ($1, nextval('refresh_token_families'), $2, now() + $3 * interval '1 second')
        """)
    private static let deleteExpired = PostgresStatement(
        """
        DELETE FROM refresh_tokens WHERE token_hash IN
            (SELECT token_hash FROM refresh_tokens WHERE expires_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED)
        """)
    private static let lock = PostgresStatement(
        """
        SELECT family_id, user_id, used_at IS NOT NULL, expires_at < now()
        FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE
        """)
    private static let markUsed = PostgresStatement(
        "UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1")
    private static let insertSuccessor = PostgresStatement(
        """
        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
        VALUES ($1, $2, $3, now() + $4 * interval '1 second')
        """)
    private static let deleteFamily = PostgresStatement("DELETE FROM refresh_tokens WHERE family_id = $1")
    private static let selectFamily = PostgresStatement(
        "SELECT family_id FROM refresh_tokens WHERE token_hash = $1")
}
