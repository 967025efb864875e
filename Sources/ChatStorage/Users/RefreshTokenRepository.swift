import CommonUtil
import PostgresClient

/// Refresh tokens, stored only as hashes. The tokens of one login are a family, which is a sign-in. A token that is
/// used again long after its first use was copied, and ends its family (RFC 9700 section 4.14.2).
public struct RefreshTokenRepository: Sendable {
    /// An issued refresh token, as it is stored.
    public struct Grant: Sendable {
        /// The hash of the refresh token.
        public let hash: [UInt8]
        /// The lifetime of the refresh token, in seconds.
        public let lifetimeSeconds: Int
        /// The expiry of the access token that is issued with it.
        public let accessExpiresAt: Timestamp

        /// Describes an issued token.
        public init(hash: [UInt8], lifetimeSeconds: Int, accessExpiresAt: Timestamp) {
            self.hash = hash
            self.lifetimeSeconds = lifetimeSeconds
            self.accessExpiresAt = accessExpiresAt
        }
    }

    /// The result of presenting a refresh token.
    public enum Rotation: Equatable, Sendable {
        /// The next token may be issued. It is made with `salt`: the given one, or at a repetition that of the first
        /// use, so that the next token is the same.
        case rotated(UserID, SignInID, salt: [UInt8])
        /// Unknown, expired, or of a family that has ended.
        case unknown
        /// Used before, and longer ago than a repetition may be; its family has been ended.
        case reused(UserID, [Revocation])
    }

    /// Time after its first use in which a token gives the next one again, since the response may have been lost.
    static let repetitionSeconds = 30
    /// Time after which salts are erased: longer than they are needed, so that a repetition in progress has its salt.
    static let saltSeconds = 60

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Begins a family, at a login. Deletes expired tokens as well.
    /// - Parameters:
    ///   - passwordHash: the hash that the password was verified against; `nil` for a sign-in without a password.
    ///   - userAgent: the program that signs in, as it calls itself.
    ///   - issuer: the issuer whose token is exchanged.
    /// - Returns: `nil` if the password has been changed since, which ends all sign-ins with the old one, and where the
    ///   user is disabled.
    public func begin(
        _ grant: Grant, of userID: UserID, passwordHash: String?, userAgent: String? = nil,
        issuer: String? = nil
    ) async throws -> SignInID? {
        let signInID = SignInID.random()
        let results = try await database.batch([
            PostgresCommand(
                Self.insertFirst, .bytea(grant.hash), .int8(signInID.rawValue), .int8(userID.rawValue),
                .int8(grant.lifetimeSeconds), .timestamptz(grant.accessExpiresAt), .text(passwordHash),
                .text(userAgent), .text(issuer)),
            PostgresCommand(Self.deleteExpired),
            PostgresCommand(Self.eraseSalts),
        ])
        return results.first?.affectedRows == 1 ? signInID : nil
    }

    /// Begins a sign-in that cannot be refreshed, so that its access token can be ended like any other. It has a refresh
    /// token that nobody knows.
    /// - Parameter hash: random bytes.
    /// - Returns: `nil` if there is no such user, or it is disabled.
    public func beginWithoutRefresh(
        of userID: UserID, hash: [UInt8], accessExpiresAt: Timestamp, userAgent: String? = nil, issuer: String? = nil
    ) async throws -> SignInID? {
        let signInID = SignInID.random()
        let results = try await database.batch([
            PostgresCommand(
                Self.insertUnrefreshable, .bytea(hash), .int8(signInID.rawValue), .int8(userID.rawValue),
                .timestamptz(accessExpiresAt), .text(userAgent), .text(issuer)),
            PostgresCommand(Self.deleteExpired),
        ])
        return results.first?.affectedRows == 1 ? signInID : nil
    }

    /// Replaces a token by its successor, or allows the successor to be issued again.
    ///
    /// Within the time of repetition a token gives its successor, used or not. If the successor has been used, the
    /// repeated response has a token that works for as long as the successor's own time of repetition lasts.
    /// - Parameters:
    ///   - hash: of the presented token.
    ///   - salt: that of its successor, at the first use.
    ///   - successor: the successor made with this salt.
    ///   - isAccepted: whether sign-ins by an issuer's token can still be refreshed.
    public func rotate(
        hash: [UInt8], salt: [UInt8], successor: Grant,
        isAccepted: @escaping @Sendable (_ issuer: String) -> Bool = { _ in true }
    ) async throws -> Rotation {
        try await database.withTransaction { transaction in
            // The row lock serializes concurrent uses: the later one sees that the earlier one has used the token.
            guard let row = try await transaction.query(Self.lock, .bytea(hash)).first else { return .unknown }
            let (signIn, user, isUsed, isRepeatable, isExpired, firstSalt, issuer) = try row.decode(
                Int64.self, Int64.self, Bool.self, Bool.self, Bool.self, [UInt8]?.self, String?.self)
            let (signInID, userID) = (SignInID(signIn), UserID(user))
            if let issuer, !isAccepted(issuer) { return .unknown }
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
                    .int8(successor.lifetimeSeconds), .timestamptz(successor.accessExpiresAt), .bytea(hash)),
                // The last one, and it skips locked rows: it does not wait for others while it holds locks.
                PostgresCommand(Self.eraseSalts),
            ])
            return .rotated(userID, signInID, salt: salt)
        }
    }

    // No token of a guest outlives the guest.
    private static let end = "least(now() + $4 * interval '1 second', users.guest_until)"
    private static let insertFirst = PostgresStatement(
        """
        INSERT INTO refresh_tokens (
            token_hash, family_id, user_id, expires_at, access_expires_at, began_at, user_agent, issuer)
        SELECT $1, $2, user_id, \(end), $5, now(), $7, $8
        FROM users WHERE user_id = $3 AND ($6::text IS NULL OR password_hash = $6) AND NOT is_disabled FOR SHARE
        """)
    private static let insertUnrefreshable = PostgresStatement(
        """
        INSERT INTO refresh_tokens (
            token_hash, family_id, user_id, expires_at, access_expires_at, began_at, user_agent, issuer)
        SELECT $1, $2, user_id, now(), $4, now(), $5, $6 FROM users WHERE user_id = $3 AND NOT is_disabled FOR SHARE
        """)
    // Tokens whose access token has not expired are kept: ending the sign-in has to revoke it.
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
            successor_salt, issuer
        FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE
        """)
    private static let markUsed = PostgresStatement(
        "UPDATE refresh_tokens SET used_at = now(), successor_salt = $2 WHERE token_hash = $1")
    // Stored with the presented token, whose row is locked: any row of the family will do.
    private static let noteAccess = PostgresStatement(
        "UPDATE refresh_tokens SET access_expires_at = greatest(access_expires_at, $2) WHERE token_hash = $1")
    private static let insertSuccessor = PostgresStatement(
        """
        INSERT INTO refresh_tokens (
            token_hash, family_id, user_id, expires_at, access_expires_at, began_at, user_agent, issuer)
        SELECT $1, $2, $3, \(end), $5, used.began_at, used.user_agent, used.issuer
        FROM refresh_tokens AS used JOIN users ON users.user_id = used.user_id WHERE used.token_hash = $6
        """)
}
