import ChatStorage
import CommonUtil
import PostgresClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct RefreshTokenRepositoryTests {
    private func hash(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: 32) }

    private func grant(_ number: UInt8, seconds: Int = 60) -> RefreshTokenRepository.Grant {
        RefreshTokenRepository.Grant(
            hash: hash(number), lifetimeSeconds: seconds,
            accessExpiresAt: Timestamp(microseconds: Timestamp.now.microseconds + Int64(seconds) * 1_000_000))
    }

    /// A family of one token, `hash(1)`.
    private func withFamily(_ body: (Store, UserID, SignInID) async throws -> Void) async throws {
        try await withStore { store in
            let user = try #require(try await store.users.insert(username: "ann", displayName: "", passwordHash: "h"))
            let signInID = try await begin(store, 1, user.userID)
            try await body(store, user.userID, signInID)
        }
    }

    private func begin(_ store: Store, _ token: UInt8, _ userID: UserID, seconds: Int = 60) async throws -> SignInID {
        try #require(try await store.tokens.begin(grant(token, seconds: seconds), of: userID, passwordHash: "h"))
    }

    /// The salt of a token's first use has the token's number.
    private func rotate(
        _ store: Store, _ old: UInt8, _ new: UInt8, salt: UInt8? = nil
    ) async throws -> RefreshTokenRepository.Rotation {
        try await store.tokens.rotate(hash: hash(old), salt: [salt ?? old], successor: grant(new))
    }

    /// Puts all that was done so far into the past.
    private func age(_ store: Store, seconds: Int) async throws {
        _ = try await store.client.query(
            "UPDATE refresh_tokens SET used_at = used_at - $1 * interval '1 second'", .int8(seconds))
    }

    @Test func `each token is replaced by its successor`() async throws {
        try await withFamily { store, userID, signInID in
            for number in UInt8(1)...4 {
                let outcome = try await rotate(store, number, number + 1)
                #expect(outcome == .rotated(userID, signInID, salt: [number]))
            }
            #expect(try await rotate(store, 99, 100) == .unknown)
        }
    }

    @Test func `a sign-in begins only with the password that was checked`() async throws {
        try await withFamily { store, userID, _ in
            let signInID = try await store.tokens.begin(grant(2), of: userID, passwordHash: "older")
            #expect(signInID == nil)
            #expect(try await rotate(store, 2, 3) == .unknown)
        }
    }

    // MARK: Used again

    @Test func `half a minute long a token gives its successor again, also when that was used already`() async throws {
        try await withFamily { store, userID, signInID in
            #expect(try await rotate(store, 1, 2) == .rotated(userID, signInID, salt: [1]))
            // What is offered now is not what the successor was made with.
            #expect(try await rotate(store, 1, 90, salt: 90) == .rotated(userID, signInID, salt: [1]))
            #expect(try await rotate(store, 2, 3) == .rotated(userID, signInID, salt: [2]))
            #expect(try await rotate(store, 1, 91, salt: 91) == .rotated(userID, signInID, salt: [1]))
            #expect(try await rotate(store, 2, 92, salt: 92) == .rotated(userID, signInID, salt: [2]))
            try await age(store, seconds: 20)
            #expect(try await rotate(store, 1, 93, salt: 93) == .rotated(userID, signInID, salt: [1]))
            #expect(try await store.client.number("SELECT count(*) FROM refresh_tokens") == 3)
            #expect(try await rotate(store, 90, 5) == .unknown)
            #expect(try await rotate(store, 3, 4) == .rotated(userID, signInID, salt: [3]))
        }
    }

    @Test func `used again later, a token ends its family, and no other`() async throws {
        try await withFamily { store, userID, signInID in
            let other = try await begin(store, 50, userID)
            #expect(try await rotate(store, 1, 2) == .rotated(userID, signInID, salt: [1]))
            try await age(store, seconds: 31)
            #expect(try await rotate(store, 2, 3) == .rotated(userID, signInID, salt: [2]))
            guard case .reused(userID, let revocations) = try await rotate(store, 1, 4) else {
                Issue.record("it is not taken for a copy")
                return
            }
            #expect(revocations.map(\.scope) == [.signIn(signInID)])
            #expect(try await rotate(store, 3, 5) == .unknown)
            #expect(try await rotate(store, 4, 5) == .unknown)
            #expect(try await rotate(store, 50, 51) == .rotated(userID, other, salt: [50]))
        }
    }

    @Test func `a repetition does not renew the time in which it is allowed`() async throws {
        try await withFamily { store, userID, signInID in
            #expect(try await rotate(store, 1, 2) == .rotated(userID, signInID, salt: [1]))
            try await age(store, seconds: 20)
            #expect(try await rotate(store, 1, 2) == .rotated(userID, signInID, salt: [1]))
            try await age(store, seconds: 11)
            guard case .reused = try await rotate(store, 1, 2) else {
                Issue.record("it is repeated for longer than half a minute")
                return
            }
        }
    }

    @Test func `what the next token is made with is erased by the next refresh or login a minute after`() async throws {
        let salts = "SELECT count(*) FROM refresh_tokens WHERE successor_salt IS NOT NULL"
        try await withFamily { store, userID, _ in
            _ = try await rotate(store, 1, 2)
            _ = try await rotate(store, 2, 3)
            #expect(try await store.client.number(salts) == 2)
            try await age(store, seconds: 61)
            _ = try await rotate(store, 3, 4)
            #expect(try await store.client.number(salts) == 1)
            try await age(store, seconds: 61)
            _ = try await begin(store, 50, userID)
            #expect(try await store.client.number(salts) == 0)
        }
    }

    /// A server that is older than salts used it.
    @Test func `a used token without a salt cannot be repeated`() async throws {
        try await withFamily { store, userID, signInID in
            _ = try await rotate(store, 1, 2)
            try await store.client.script("UPDATE refresh_tokens SET successor_salt = NULL")
            guard case .reused = try await rotate(store, 1, 9) else {
                Issue.record("another successor would be given")
                return
            }
        }
    }

    @Test func `an expired token is unknown and is cleared away when its access token has ended, too`() async throws {
        try await withFamily { store, userID, _ in
            _ = try await begin(store, 2, userID, seconds: -1)
            let lasting = RefreshTokenRepository.Grant(
                hash: hash(3), lifetimeSeconds: -1, accessExpiresAt: grant(3).accessExpiresAt)
            #expect(try await store.tokens.begin(lasting, of: userID, passwordHash: "h") != nil)
            #expect(try await rotate(store, 2, 9) == .unknown)
            #expect(try await rotate(store, 3, 9) == .unknown)
            _ = try await begin(store, 4, userID)
            #expect(try await store.client.number("SELECT count(*) FROM refresh_tokens") == 3)
        }
    }

    // MARK: At once

    @Test func `uses at once all get the same successor`() async throws {
        try await withFamily { store, userID, signInID in
            async let one = rotate(store, 1, 2, salt: 2)
            async let other = rotate(store, 1, 3, salt: 3)
            let outcomes = try await [one, other]
            #expect(outcomes[0] == outcomes[1])
            let isFirst = outcomes[0] == .rotated(userID, signInID, salt: [2])
            #expect(isFirst || outcomes[0] == .rotated(userID, signInID, salt: [3]))
            #expect(try await rotate(store, isFirst ? 3 : 2, 9) == .unknown)
            #expect(try await rotate(store, isFirst ? 2 : 3, 4) != .unknown)
        }
    }

    /// How a family can be ended.
    enum End: CaseIterable {
        case reuse, logout, all
    }

    @Test(arguments: End.allCases)
    func `a successor that is being made when its family ends does not outlive it`(end: End) async throws {
        try await withFamily { store, userID, signInID in
            #expect(try await rotate(store, 1, 2) == .rotated(userID, signInID, salt: [1]))
            try await age(store, seconds: 31)
            // The second token is being rotated: its successor is there, but not committed.
            let ending = try await store.client.withTransaction { transaction in
                _ = try await transaction.query(
                    "SELECT FROM refresh_tokens WHERE token_hash = $1 FOR UPDATE", .bytea(hash(2)))
                _ = try await transaction.query(
                    "UPDATE refresh_tokens SET used_at = now() WHERE token_hash = $1", .bytea(hash(2)))
                _ = try await transaction.query(
                    """
                    INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
                    SELECT $2, family_id, user_id, expires_at FROM refresh_tokens WHERE token_hash = $1
                    """, .bytea(hash(2)), .bytea(hash(3)))
                let ending = Task {
                    switch end {
                    case .reuse:
                        guard case .reused = try await rotate(store, 1, 9) else {
                            Issue.record("it is not taken for a copy")
                            return
                        }
                    case .logout: #expect(try await store.signIns.end(ofHash: hash(2)) != nil)
                    case .all: _ = try await store.signIns.endAll(of: userID)
                    }
                }
                try await store.client.waitForBlockedSessions(1)
                return ending
            }
            try await ending.value
            #expect(try await rotate(store, 3, 4) == .unknown)
        }
    }
}
