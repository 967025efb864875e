import CommonUtil
import PostgresClient

/// The ends of sign-ins, and what every server has to know of them.
public struct SignInRepository: Sendable {
    /// What was ended, for whom.
    public struct Ended: Equatable, Sendable {
        public let userID: UserID
        public let revocations: [Revocation]

        public init(userID: UserID, revocations: [Revocation]) {
            self.userID = userID
            self.revocations = revocations
        }
    }

    /// Beyond the time that a caller of ``revocations(of:)`` asks for: a revocation is dated before its commit, and after
    /// a failover the clock is another's.
    private static let marginSeconds = 60

    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    // MARK: Ending

    /// Ends the sign-in of a refresh token, used or not: a logout.
    /// - Returns: `nil` for an unknown token, which is no error.
    public func end(ofHash hash: [UInt8]) async throws -> Ended? {
        try await ending { transaction in
            guard let row = try await transaction.query(Self.selectFamily, .bytea(hash)).first else { return nil }
            let (signIn, user) = try row.decode(Int64.self, Int64.self)
            return Ended(
                userID: UserID(user), revocations: try await SignInEnding.end(.one(SignInID(signIn)), transaction))
        }
    }

    /// Ends all sign-ins of a user.
    public func endAll(of userID: UserID) async throws -> Ended {
        try await ending { transaction in
            // A login that is under way is waited for, and ended. Refreshes go on: each takes a lock that this one admits.
            _ = try await transaction.query(Self.lockUser, .int8(userID.rawValue))
            return Ended(
                userID: userID, revocations: try await SignInEnding.end(.all(userID, except: nil), transaction))
        }
    }

    /// Changes a password and ends all sign-ins but one.
    /// - Parameters:
    ///   - current: the hash that the current password was checked against.
    ///   - kept: the sign-in that stays; where it is `nil`, none does.
    /// - Returns: `nil` where the password is another by now; then nothing is changed.
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

    /// Runs a transaction, and clears away what has expired.
    private func ending<Result: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> Result
    ) async throws -> Result {
        try await database.withTransaction { transaction in
            let result = try await body(transaction)
            // The last one, as it holds rows and waits for nobody.
            _ = try await transaction.query(SignInEnding.deleteExpired)
            return result
        }
    }

    // MARK: Knowing

    /// The revocations of the last `time` that are still in force, and some older ones.
    public func revocations(of time: Duration) async throws -> [Revocation] {
        let seconds = time.components.seconds + 1 + Int64(Self.marginSeconds)
        return try await database.query(SignInEnding.selectRecent, .int8(seconds)).map(SignInEnding.revocation)
    }

    private static let selectFamily = PostgresStatement(
        "SELECT family_id, user_id FROM refresh_tokens WHERE token_hash = $1")
    private static let lockUser = PostgresStatement("SELECT FROM users WHERE user_id = $1 FOR NO KEY UPDATE")
}
