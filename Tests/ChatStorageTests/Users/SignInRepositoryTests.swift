import ChatStorage
import CommonUtil
import PostgresClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct SignInRepositoryTests {
    private static let accessSeconds: Int64 = 900

    private func hash(_ number: UInt8) -> [UInt8] { Array(repeating: number, count: 32) }

    private func grant(_ number: UInt8, accessSeconds: Int64 = Self.accessSeconds) -> RefreshTokenRepository.Grant {
        RefreshTokenRepository.Grant(
            hash: hash(number), lifetimeSeconds: 60,
            accessExpiresAt: Timestamp(microseconds: Timestamp.now.microseconds + accessSeconds * 1_000_000))
    }

    /// A user with two sign-ins, of the tokens 1 and 2.
    private func withUser(_ body: (Store, UserID, [SignInID]) async throws -> Void) async throws {
        try await withStore { store in
            let user = try #require(try await store.users.insert(username: "ann", displayName: "", passwordHash: "h"))
            var signIns: [SignInID] = []
            for number in UInt8(1)...2 { signIns.append(try #require(try await begin(store, number, user.userID))) }
            try await body(store, user.userID, signIns)
        }
    }

    private func begin(
        _ store: Store, _ token: UInt8, _ userID: UserID, password: String = "h", accessSeconds: Int64 = 900
    ) async throws -> SignInID? {
        try await store.tokens.begin(
            grant(token, accessSeconds: accessSeconds), of: userID, passwordHash: password)
    }

    private func areAlive(_ store: Store, _ tokens: UInt8...) async throws -> [Bool] {
        var areAlive: [Bool] = []
        for token in tokens {
            let rotation = try await store.tokens.rotate(
                hash: hash(token), salt: [token], successor: grant(token + 100))
            areAlive.append(rotation != .unknown)
        }
        return areAlive
    }

    private func known(_ store: Store, _ time: Duration = .seconds(1)) async throws -> Set<Revocation> {
        Set(try await store.signIns.revocations(of: time))
    }

    @Test func `a logout ends one sign-in, with any of its tokens, and all servers can read it`() async throws {
        try await withUser { store, userID, signIns in
            #expect(try await areAlive(store, 1) == [true])
            let ended = try #require(try await store.signIns.end(ofHash: hash(1)))
            #expect(ended.userID == userID && ended.revocations.map(\.scope) == [.signIn(signIns[0])])
            let left = try #require(ended.revocations.first).expiresAt.seconds - Timestamp.now.seconds
            #expect(left >= Self.accessSeconds && left < Self.accessSeconds + 600)
            #expect(try await known(store) == Set(ended.revocations))
            #expect(try await areAlive(store, 1, 101, 2) == [false, false, true])
            #expect(try await store.signIns.end(ofHash: hash(1)) == nil)
            #expect(try await store.signIns.end(ofHash: hash(99)) == nil)
        }
    }

    @Test func `the end of a sign-in is kept for as long as its last access token lives`() async throws {
        try await withUser { store, userID, _ in
            // The last one is given out with the first answer's repetition.
            _ = try await store.tokens.rotate(hash: hash(1), salt: [1], successor: grant(3, accessSeconds: 100))
            _ = try await store.tokens.rotate(hash: hash(1), salt: [1], successor: grant(3, accessSeconds: 5_000))
            let ended = try #require(try await store.signIns.end(ofHash: hash(1)))
            #expect(try #require(ended.revocations.first).expiresAt.seconds - Timestamp.now.seconds >= 4_990)
            // None of it can be alive.
            _ = try await begin(store, 4, userID, accessSeconds: -120)
            #expect(try await store.signIns.end(ofHash: hash(4))?.revocations == [])
            #expect(try await areAlive(store, 4) == [false])
        }
    }

    @Test func `all sign-ins of a user end together, and tokens that name none`() async throws {
        try await withUser { store, userID, signIns in
            let bystander = try #require(
                try await store.users.insert(username: "bob", displayName: "", passwordHash: "h"))
            _ = try await begin(store, 3, bystander.userID)
            let ended = try await store.signIns.endAll(of: userID)
            #expect(Set(ended.revocations.prefix(2).map(\.scope)) == Set(signIns.map { .signIn($0) }))
            guard case .unnamed(let issuedUpTo)? = ended.revocations.last?.scope else {
                Issue.record("tokens without a sign-in live on")
                return
            }
            #expect(abs(issuedUpTo.seconds - Timestamp.now.seconds) < 60)
            #expect(try await known(store) == Set(ended.revocations))
            #expect(try await areAlive(store, 1, 2, 3) == [false, false, true])
            // Once more: one row for the user, not one for each time.
            _ = try await store.signIns.endAll(of: userID)
            #expect(try await known(store).count == 3)
        }
    }

    @Test func `who is not registered can be signed out all the same`() async throws {
        try await withStore { store in
            let ended = try await store.signIns.endAll(of: ann)
            #expect(ended.revocations.count == 1)
        }
    }

    @Test func `a new password ends all sign-ins but the caller's, and nothing where it came too late`() async throws {
        try await withUser { store, userID, signIns in
            let tooLate = try await store.signIns.changePassword(
                of: userID, from: "old", to: "new", keeping: signIns[0])
            #expect(tooLate == nil)
            #expect(try await areAlive(store, 2) == [true])
            let ended = try #require(
                try await store.signIns.changePassword(of: userID, from: "h", to: "new", keeping: signIns[0]))
            #expect(ended.revocations.first?.scope == .signIn(signIns[1]) && ended.revocations.count == 2)
            #expect(try await areAlive(store, 1, 2) == [true, false])
            #expect(try await store.users.credentials(of: userID)?.passwordHash == "new")
            #expect(try await begin(store, 5, userID) == nil)
            #expect(try await begin(store, 5, userID, password: "new") != nil)
        }
    }

    @Test func `a login that has checked the old password does not outlive the change`() async throws {
        try await withUser { store, userID, _ in
            // The login holds what it has checked; the change waits for it and ends what it gave.
            let changing = try await store.client.withTransaction { transaction in
                _ = try await transaction.query(
                    """
                    INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
                    SELECT $1, 77, user_id, now() + interval '1 hour' FROM users WHERE user_id = $2 FOR SHARE
                    """, .bytea(hash(7)), .int8(userID.rawValue))
                let changing = Task {
                    try await store.signIns.changePassword(of: userID, from: "h", to: "new", keeping: nil)
                }
                try await store.client.waitForBlockedSessions(1)
                return changing
            }
            #expect(try await changing.value != nil)
            #expect(try await areAlive(store, 7) == [false])
        }
    }

    @Test func `old and expired revocations are not read, and are cleared away`() async throws {
        try await withUser { store, userID, signIns in
            _ = try await store.signIns.end(ofHash: hash(1))
            try await store.client.script("UPDATE revocations SET revoked_at = revoked_at - interval '10 minutes'")
            #expect(try await known(store, .seconds(1)).isEmpty)
            #expect(try await known(store, .seconds(600)).count == 1)
            try await store.client.script("UPDATE revocations SET expires_at = now() - interval '1 second'")
            #expect(try await known(store, .seconds(600)).isEmpty)
            _ = try await store.signIns.end(ofHash: hash(2))
            #expect(try await known(store, .seconds(600)).map(\.scope) == [.signIn(signIns[1])])
            #expect(try await store.client.number("SELECT count(*) FROM revocations") == 1)
        }
    }
}
