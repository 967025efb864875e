import CommonUtil
import PostgresClient

/// Ends sign-ins within a transaction: their refresh tokens are gone, and what else they gave is revoked.
enum SignInEnding {
    enum Which {
        case one(SignInID)
        /// All of a user, and access tokens that name no sign-in; `except` stays.
        case all(UserID, except: SignInID?)
    }

    /// Beyond the end of the last access token: clocks of servers differ.
    private static let clockSkew = "interval '5 minutes'"
    /// Beyond its token a socket lives for half a minute at most (`TokenLifetime`).
    private static let grace = "interval '1 minute'"
    /// The longest that an access token can live (`CHAT_ACCESS_TOKEN_SECONDS`).
    private static let longestAccess = "interval '1 day'"

    /// - Returns: the revocations to tell the servers of.
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

    /// Until nothing is left: a rotation under way makes the statement wait at the old token, and its successor is
    /// only seen by the next one.
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

    /// Whole milliseconds, as they are told on Redis, so that both ways tell the same. The clock's time, not that of the
    /// transaction's begin: servers look for what is new by it (``RevocationRepository``).
    private static let now = "date_trunc('milliseconds', clock_timestamp())"
    private static let columns = "user_id, sign_in_id, revoked_at, expires_at"

    /// Sign-ins without a living access token, and without a socket in its grace, need no revocation. Ends with one row at
    /// least, which tells how many refresh tokens are gone.
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

    /// Revocations whose tokens have ended.
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
