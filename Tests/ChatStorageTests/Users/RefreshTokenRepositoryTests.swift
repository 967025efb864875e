import ChatStorage
import CommonUtil
import PostgresClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct RefreshTokenRepositoryTests {
    private func hash(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: 32) }

    /// A family of one token, `hash(1)`.
    private func withFamily(_ body: (Store, UserID) async throws -> Void) async throws {
        try await withStore { store in
            let user = try #require(try await store.users.insert(username: "ann", displayName: "", passwordHash: ""))
            try await store.tokens.insert(hash: hash(1), userID: user.userID, lifetimeSeconds: 60)
            try await body(store, user.userID)
        }
    }

    private func rotate(
        _ store: Store, _ old: UInt8, _ new: UInt8
    ) async throws -> RefreshTokenRepository.Rotation {
        try await store.tokens.rotate(hash: hash(old), successorHash: hash(new), lifetimeSeconds: 60)
    }

    @Test func `each token is replaced by its successor`() async throws {
        try await withFamily { store, userID in
            for number in UInt8(1)...4 {
                let outcome = try await rotate(store, number, number + 1)
                #expect(outcome == .rotated(userID))
            }
            #expect(try await rotate(store, 99, 100) == .unknown)
        }
    }

    @Test func `the second use of a token ends its family, and no other`() async throws {
        try await withFamily { store, userID in
            try await store.tokens.insert(hash: hash(50), userID: userID, lifetimeSeconds: 60)
            #expect(try await rotate(store, 1, 2) == .rotated(userID))
            #expect(try await rotate(store, 2, 3) == .rotated(userID))
            #expect(try await rotate(store, 1, 4) == .reused)
            #expect(try await rotate(store, 3, 5) == .unknown)
            #expect(try await rotate(store, 4, 5) == .unknown)
            #expect(try await rotate(store, 50, 51) == .rotated(userID))
        }
    }

    @Test func `an expired token is unknown and is cleared away at the next login`() async throws {
        try await withFamily { store, userID in
            try await store.tokens.insert(hash: hash(2), userID: userID, lifetimeSeconds: -1)
            #expect(try await rotate(store, 2, 3) == .unknown)
            try await store.tokens.insert(hash: hash(4), userID: userID, lifetimeSeconds: 60)
            #expect(try await store.client.number("SELECT count(*) FROM refresh_tokens") == 2)
        }
    }

    @Test func `a logout ends the family, with any of its tokens`() async throws {
        try await withFamily { store, userID in
            #expect(try await rotate(store, 1, 2) == .rotated(userID))
            try await store.tokens.endFamily(ofHash: hash(1))
            #expect(try await rotate(store, 2, 3) == .unknown)
            try await store.tokens.endFamily(ofHash: hash(1))
        }
    }

    // MARK: At once

    @Test func `of two uses at once at most one succeeds, and the family ends`() async throws {
        try await withFamily { store, userID in
            async let one = rotate(store, 1, 2)
            async let other = rotate(store, 1, 3)
            let outcomes = try await [one, other]
            #expect(outcomes.contains(.rotated(userID)))
            #expect(outcomes.contains(.reused))
            #expect(try await rotate(store, 2, 4) == .unknown)
            #expect(try await rotate(store, 3, 4) == .unknown)
        }
    }

    /// How a family can be ended.
    enum End: CaseIterable {
        case reuse, logout
    }

    @Test(arguments: End.allCases)
    func `a successor that is being made when its family ends does not outlive it`(end: End) async throws {
        try await withFamily { store, userID in
            #expect(try await rotate(store, 1, 2) == .rotated(userID))
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
                    case .reuse: #expect(try await rotate(store, 1, 9) == .reused)
                    case .logout: try await store.tokens.endFamily(ofHash: hash(2))
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
