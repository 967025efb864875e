import CommonUtil
import PostgresClient

/// Ends sign-ins, and reads the revocations that every server enforces.
public struct SignInRepository: Sendable {
    /// Sign-ins of a user that have ended.
    public struct Ended: Equatable, Sendable {
        public let userID: UserID
        /// The revocations of access tokens that may still be valid.
        public let revocations: [Revocation]

        /// - Parameter revocations: to be announced to the servers.
        public init(userID: UserID, revocations: [Revocation]) {
            self.userID = userID
            self.revocations = revocations
        }
    }

    /// Added to the time that a caller of ``revocations(of:)`` asks for: a revocation is dated before its commit, and
    /// after a failover another machine's clock is used.
    private static let marginSeconds = 60

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    // MARK: Ending

    /// Ends the sign-in of a refresh token, used or not, at a logout.
    /// - Returns: `nil` for an unknown token, which is no error.
    public func end(ofHash hash: [UInt8]) async throws -> Ended? {
        try await ending { transaction in
            guard let row = try await transaction.query(Self.selectFamily, .bytea(hash)).first else { return nil }
            let (signIn, user) = try row.decode(Int64.self, Int64.self)
            return Ended(
                userID: UserID(user), revocations: try await SignInEnding.end(.one(SignInID(signIn)), transaction))
        }
    }

    /// Ends one sign-in of a user.
    /// - Returns: `nil` if the user has no such sign-in.
    public func end(_ signInID: SignInID, of userID: UserID) async throws -> Ended? {
        try await ending { transaction in
            let found = try await transaction.query(
                Self.selectOwn, .int8(signInID.rawValue), .int8(userID.rawValue))
            guard !found.isEmpty else { return nil }
            return Ended(userID: userID, revocations: try await SignInEnding.end(.one(signInID), transaction))
        }
    }

    /// Ends all sign-ins of a user.
    public func endAll(of userID: UserID) async throws -> Ended {
        try await ending { transaction in
            // Waits for a login in progress, which is ended then. Refreshes go on: their lock is compatible with this
            // one.
            _ = try await transaction.query(Self.lockUser, .int8(userID.rawValue))
            return Ended(
                userID: userID, revocations: try await SignInEnding.end(.all(userID, except: nil), transaction))
        }
    }

    /// Changes a password and ends all sign-ins but one.
    /// - Parameters:
    ///   - current: the hash that the current password was verified against.
    ///   - kept: the sign-in that stays; where it is `nil`, none does.
    /// - Returns: `nil` if the password has been changed since; then nothing is changed.
    public func changePassword(
        of userID: UserID, from current: String, to next: String, keeping kept: SignInID?
    ) async throws -> Ended? {
        try await ending { transaction in
            let changed = try await transaction.query(
                UserRepository.updatePasswordHash, .int8(userID.rawValue), .text(next), .text(current))
            guard changed.affectedRows == 1 else { return nil }
            return Ended(
                userID: userID, revocations: try await SignInEnding.end(.all(userID, except: kept), transaction))
        }
    }

    /// Runs a transaction that also deletes expired revocations.
    private func ending<Result: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> Result
    ) async throws -> Result {
        try await database.withTransaction { transaction in
            let result = try await body(transaction)
            // The last one, and it skips locked rows: it does not wait for others while it holds locks.
            _ = try await transaction.query(SignInEnding.deleteExpired)
            return result
        }
    }

    // MARK: Reading

    /// The sign-ins of a user that have not ended, the last used ones first, a thousand at most.
    public func signIns(of userID: UserID) async throws -> [SignInRecord] {
        try await database.query(Self.selectAll, .int8(userID.rawValue)).map { row in
            SignInRecord(
                signInID: SignInID(try row.decode(column: 0)), createdAt: try row.timestamp(column: 1),
                lastUsedAt: try row.timestamp(column: 2), userAgent: try row.decode(column: 3))
        }
    }

    /// The revocations of the last `time` that are still in force, and some older ones.
    public func revocations(of time: Duration) async throws -> [Revocation] {
        let seconds = time.components.seconds + 1 + Int64(Self.marginSeconds)
        return try await database.query(SignInEnding.selectRecent, .int8(seconds)).map(SignInEnding.revocation)
    }

    private static let selectOwn = PostgresStatement(
        "SELECT FROM refresh_tokens WHERE family_id = $1 AND user_id = $2 LIMIT 1")
    // Tokens of older servers do not say when their sign-in began.
    private static let selectAll = PostgresStatement(
        """
        SELECT family_id, min(coalesce(began_at, created_at)), max(greatest(created_at, used_at)) AS last_used_at,
            max(user_agent)
        FROM refresh_tokens WHERE user_id = $1
        GROUP BY family_id
        HAVING bool_or(used_at IS NULL AND expires_at > now() OR access_expires_at > now())
        ORDER BY last_used_at DESC, family_id LIMIT 1000
        """)
    private static let selectFamily = PostgresStatement(
        "SELECT family_id, user_id FROM refresh_tokens WHERE token_hash = $1")
    private static let lockUser = PostgresStatement("SELECT FROM users WHERE user_id = $1 FOR NO KEY UPDATE")
}

/// A sign-in of a user, as the user sees it.
public struct SignInRecord: Equatable, Sendable {
    public let signInID: SignInID
    /// When the user signed in.
    public let createdAt: Timestamp
    /// When it was refreshed last.
    public let lastUsedAt: Timestamp
    /// The program that signed in, as it called itself.
    public let userAgent: String?
}

/// Ends sign-ins within a transaction: deletes their refresh tokens and revokes their access tokens.
enum SignInEnding {
    /// The sign-ins to end.
    enum Which {
        case one(SignInID)
        /// All of a user, and access tokens that name no sign-in; `except` stays.
        case all(UserID, except: SignInID?)
    }

    // Revocations outlive the last access token by this, since clocks of servers differ.
    private static let clockSkew = "interval '5 minutes'"
    // A socket outlives its token by half a minute at most (`TokenLifetime`).
    private static let grace = "interval '1 minute'"
    // The longest lifetime of an access token (`CHAT_ACCESS_TOKEN_SECONDS`).
    private static let longestAccess = "interval '1 day'"

    /// - Returns: the revocations to announce to the servers.
    static func end(_ which: Which, _ transaction: PostgresTransaction) async throws -> [Revocation] {
        switch which {
        case .one(let signInID):
            return try await repeated { try await transaction.query(endOne, .int8(signInID.rawValue)) }
        case .all(let userID, let kept):
            let named = try await repeated {
                try await transaction.query(endAll, .int8(userID.rawValue), .int8(kept?.rawValue))
            }
            let unnamed = try await transaction.query(endUnnamed, .int8(userID.rawValue))
            return try named + unnamed.map(revocation)
        }
    }

    /// Runs a statement until it deletes nothing: a rotation in progress makes the statement wait at the old token, and
    /// only the next one sees the successor.
    private static func repeated(_ statement: () async throws -> PostgresRows) async throws -> [Revocation] {
        var revocations: [Revocation] = []
        while true {
            let rows = try await statement()
            guard let first = rows.first, try first.decode(column: 4, as: Int64.self) > 0 else { return revocations }
            for row in rows where try row.decode(column: 0, as: Int64?.self) != nil {
                revocations.append(try revocation(row))
            }
        }
    }

    /// Reads `user_id, sign_in_id, revoked_at, expires_at`.
    static func revocation(_ row: PostgresRow) throws -> Revocation {
        let signInID = try row.decode(column: 1, as: Int64?.self).map(SignInID.init(_:))
        let revokedAt = try row.timestamp(column: 2)
        return Revocation(
            userID: try row.userID(column: 0), scope: signInID.map { .signIn($0) } ?? .unnamed(issuedUpTo: revokedAt),
            expiresAt: try row.timestamp(column: 3))
    }

    // Whole milliseconds, as in messages on Redis, so that both ways have the same value. The clock's time, not that of
    // the transaction's beginning: servers find new revocations by it (``SignInRepository/revocations(of:)``).
    private static let now = "date_trunc('milliseconds', clock_timestamp())"
    private static let columns = "user_id, sign_in_id, revoked_at, expires_at"

    /// Sign-ins without a valid access token, and without a socket in its grace period, need no revocation. Has at
    /// least one row, with the number of deleted refresh tokens.
    private static func endStatement(where condition: String) -> PostgresStatement {
        PostgresStatement(
            """
            WITH gone AS (DELETE FROM refresh_tokens WHERE \(condition) RETURNING family_id, user_id, access_expires_at),
            revoked AS (
                INSERT INTO revocations (\(columns))
                SELECT user_id, family_id, \(now), max(access_expires_at) + \(clockSkew)
                FROM gone GROUP BY family_id, user_id HAVING max(access_expires_at) > now() - \(grace)
                RETURNING \(columns))
            SELECT revoked.user_id, revoked.sign_in_id, revoked.revoked_at, revoked.expires_at, total.tokens
            FROM (SELECT count(*) AS tokens FROM gone) AS total LEFT JOIN revoked ON true
            """)
    }

    private static let endOne = endStatement(where: "family_id = $1")
    private static let endAll = endStatement(where: "user_id = $1 AND family_id IS DISTINCT FROM $2")
    private static let endUnnamed = PostgresStatement(
        """
        INSERT INTO revocations (\(columns)) VALUES ($1, NULL, \(now), \(now) + \(longestAccess) + \(clockSkew))
        ON CONFLICT (user_id) WHERE sign_in_id IS NULL
        DO UPDATE SET revoked_at = excluded.revoked_at, expires_at = excluded.expires_at
        RETURNING \(columns)
        """)

    /// Deletes revocations whose tokens have expired.
    static let deleteExpired = PostgresStatement(
        """
        DELETE FROM revocations WHERE revocation_id IN
            (SELECT revocation_id FROM revocations WHERE expires_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED)
        """)
    static let selectRecent = PostgresStatement(
        """
        SELECT \(columns) FROM revocations
        WHERE revoked_at > now() - $1 * interval '1 second' AND expires_at > now()
        """)
}
