import CommonUtil
import PostgresClient

/// Refresh tokens, kept only as hashes. Those that grew out of one login are a family: a sign-in. A token that is used
/// again long after its first use was copied, and ends its family (RFC 9700 section 4.14.2).
public struct RefreshTokenRepository: Sendable {
    /// What a refresh token that is given out is stored with.
    public struct Grant: Sendable {
        /// Of the refresh token.
        public let hash: [UInt8]
        public let lifetimeSeconds: Int
        /// The end of the access token that is given out with it.
        public let accessExpiresAt: Timestamp

        public init(hash: [UInt8], lifetimeSeconds: Int, accessExpiresAt: Timestamp) {
            self.hash = hash
            self.lifetimeSeconds = lifetimeSeconds
            self.accessExpiresAt = accessExpiresAt
        }
    }

    /// What came of showing a token.
    public enum Rotation: Equatable, Sendable {
        /// The next token may be given out. `salt` is what it is made with: the one that was offered, or at a repetition
        /// that of the first use, so that the next token is the same.
        case rotated(UserID, SignInID, salt: [UInt8])
        /// Unknown, expired, or of a family that has ended.
        case unknown
        /// Used before, and not just now; its family has ended with this.
        case reused(UserID, [Revocation])
    }

    /// How long after its first use a token gives the next one again: an answer may have been lost.
    static let repetitionSeconds = 30
    /// When salts are erased. Later than they are needed, so that no repetition which is under way misses its salt.
    static let saltSeconds = 60

    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    /// Begins a family: a login. Tokens that are of no more use are cleared away on the way.
    /// - Parameter passwordHash: the one that the password was checked against.
    /// - Returns: `nil` where the user's password is another by now: who changes it ends all sign-ins that it gave.
    public func begin(_ grant: Grant, of userID: UserID, passwordHash: String) async throws -> SignInID? {
        let signInID = SignInID.random()
        let results = try await database.batch([
            PostgresCommand(
                Self.insertFirst, .bytea(grant.hash), .int8(signInID.rawValue), .int8(userID.rawValue),
                .int8(grant.lifetimeSeconds), .timestamptz(grant.accessExpiresAt), .text(passwordHash)),
            PostgresCommand(Self.deleteExpired),
            PostgresCommand(Self.eraseSalts),
        ])
        return results.first?.affectedRows == 1 ? signInID : nil
    }

    /// Replaces a token by its successor, or lets the successor be given out again.
    ///
    /// A token within its time of repetition gives its successor whatever became of that: where the successor was used
    /// already the answer came through after all, and the one who asks again gets a token that works for as long as the
    /// successor's own time of repetition lasts.
    /// - Parameters:
    ///   - hash: of the token that is shown.
    ///   - salt: what its successor is made with at the first use.
    ///   - successor: the successor that is made with this salt.
    public func rotate(hash: [UInt8], salt: [UInt8], successor: Grant) async throws -> Rotation {
        try await database.withTransaction { transaction in
            // The row lock makes two uses at once take turns: the later one sees the earlier one's mark.
            guard let row = try await transaction.query(Self.lock, .bytea(hash)).first else { return .unknown }
            let (signIn, user, isUsed, isRepeatable, isExpired, firstSalt) = try row.decode(
                Int64.self, Int64.self, Bool.self, Bool.self, Bool.self, [UInt8]?.self)
            let (signInID, userID) = (SignInID(signIn), UserID(user))
            if isUsed {
                guard isRepeatable, let firstSalt else {
                    return .reused(userID, try await SignInEnding.end(.one(signInID), transaction))
                }
                _ = try await transaction.query(
                    Self.noteAccess, .bytea(hash), .timestamptz(successor.accessExpiresAt))
                return .rotated(userID, signInID, salt: firstSalt)
            }
            guard !isExpired else { return .unknown }
            _ = try await transaction.batch([
                PostgresCommand(Self.markUsed, .bytea(hash), .bytea(salt)),
                PostgresCommand(
                    Self.insertSuccessor, .bytea(successor.hash), .int8(signIn), .int8(user),
                    .int8(successor.lifetimeSeconds), .timestamptz(successor.accessExpiresAt)),
                // The last one, and it skips what others hold: it waits for nobody while it holds rows.
                PostgresCommand(Self.eraseSalts),
            ])
            return .rotated(userID, signInID, salt: salt)
        }
    }

    private static let insertFirst = PostgresStatement(
        """
        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at, access_expires_at)
        SELECT $1, $2, user_id, now() + $4 * interval '1 second', $5
        FROM users WHERE user_id = $3 AND password_hash = $6 FOR SHARE
        """)
    /// What an access token may still live by is kept: whoever ends the sign-in has to know.
    private static let deleteExpired = PostgresStatement(
        """
        DELETE FROM refresh_tokens WHERE token_hash IN
            (SELECT token_hash FROM refresh_tokens
             WHERE expires_at < now() AND (access_expires_at IS NULL OR access_expires_at < now())
             LIMIT 100 FOR UPDATE SKIP LOCKED)
        """)
    private static let eraseSalts = PostgresStatement(
        """
        UPDATE refresh_tokens SET successor_salt = NULL WHERE token_hash IN
            (SELECT token_hash FROM refresh_tokens
             WHERE successor_salt IS NOT NULL AND used_at < now() - \(saltSeconds) * interval '1 second'
             LIMIT 100 FOR UPDATE SKIP LOCKED)
        """)
    private static let lock = PostgresStatement(
        """
        SELECT family_id, user_id, used_at IS NOT NULL,
            coalesce(used_at >= now() - \(repetitionSeconds) * interval '1 second', false), expires_at < now(),
            successor_salt
        FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE
        """)
    private static let markUsed = PostgresStatement(
        "UPDATE refresh_tokens SET used_at = now(), successor_salt = $2 WHERE token_hash = $1")
    /// With the token that was shown, whose row is locked: any row of the family will do.
    private static let noteAccess = PostgresStatement(
        "UPDATE refresh_tokens SET access_expires_at = greatest(access_expires_at, $2) WHERE token_hash = $1")
    private static let insertSuccessor = PostgresStatement(
        """
        INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at, access_expires_at)
        VALUES ($1, $2, $3, now() + $4 * interval '1 second', $5)
        """)
}
