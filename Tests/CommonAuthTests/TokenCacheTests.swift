import CommonUtil
import Synchronization
import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(1))) struct TokenCacheTests {
    private let forge = TokenForge()

    /// A clock and keys that tests move.
    private final class World: KeySource {
        private let state: Mutex<(now: Timestamp, keys: KeySet?)>
        init(_ keys: KeySet) { state = Mutex((Timestamp(microseconds: TokenForge.issuedAt * 1_000_000), keys)) }
        var now: Timestamp {
            get { state.withLock { $0.now } }
            set { state.withLock { $0.now = newValue } }
        }
        var keys: KeySet? { state.withLock { $0.keys } }
        func set(_ keys: KeySet) { state.withLock { $0.keys = keys } }
        func refreshedKeys() async throws(ChatError) -> KeySet { keys ?? KeySet([]) }
    }

    @Test func `a cached token ends with its expiry`() async throws {
        let world = World(try forge.keys)
        let verifier = TokenVerifier(keys: world, now: { world.now })
        let token = try forge.token(claims: forge.claims())
        _ = try await verifier.verify(token)
        world.now = Timestamp(microseconds: 1_800_000_899_999_999)
        #expect(verifier.cached(token) != nil)
        world.now = Timestamp(microseconds: 1_800_000_900_000_000)
        #expect(verifier.cached(token) == nil)
        await #expect(throws: ChatError.self) { try await verifier.verify(token) }
    }

    @Test func `a cached token ends with its sign-in`() async throws {
        let (world, list) = (World(try forge.keys), RevocationList(now: { Timestamp(microseconds: 0) }))
        let verifier = TokenVerifier(keys: world, revocations: list, now: { world.now })
        let (token, other) = (
            try forge.token(claims: forge.claims(more: #","sid":"12""#)),
            try forge.token(claims: forge.claims(more: #","sid":"13""#))
        )
        let user = try await verifier.verify(token)
        _ = try await verifier.verify(other)
        #expect(verifier.cached(token) == user && !verifier.isRevoked(user))
        _ = list.insert([
            Revocation(userID: user.userID, scope: .signIn(SignInID(12)), expiresAt: Timestamp(microseconds: 1))
        ])
        #expect(verifier.cached(token) == nil && verifier.isRevoked(user))
        await #expect {
            try await verifier.verify(token)
        } throws: { ($0 as? ChatError)?.code == .invalidToken }
        #expect(verifier.cached(other) != nil)
    }

    @Test func `a cached token ends with its key`() async throws {
        let world = World(try forge.keys)
        let verifier = TokenVerifier(keys: world, now: { world.now })
        let token = try forge.token(claims: forge.claims())
        _ = try await verifier.verify(token)
        world.set(try TokenForge().keys)
        #expect(verifier.cached(token) == nil)
        await #expect(throws: ChatError.self) { try await verifier.verify(token) }
    }

    @Test func `the cache is bounded`() {
        let cache = VerifiedTokenCache(capacity: 320)
        let user = AuthenticatedUser(userID: UserID(1), tokenExpiresAt: nil)
        let kept = TokenDigest("kept")
        for index in 0..<10_000 {
            cache.insert(TokenDigest("token \(index)"), VerifiedToken(user: user, keyID: "k"))
            if index == 0 { cache.insert(kept, VerifiedToken(user: user, keyID: "k")) }
            // What is in use stays.
            #expect(cache[kept] != nil)
        }
        #expect(cache.count <= 320 && cache.count >= 160)
    }
}
