import CommonUtil

/// Checks access tokens. A token is verified once and remembered; from then on it costs a hash and two look-ups.
///
/// jwt-kit's key collection is an actor that falls back to a default key for an unknown `kid`, and its audience claim
/// traps on an empty array; so tokens are read here, by the one algorithm and the few claims that there are.
public final class TokenVerifier: Sendable {
    private let source: any KeySource
    private let verified: VerifiedTokenCache
    private let revocations: RevocationList
    private let now: @Sendable () -> Timestamp

    /// At most `cacheCapacity` verified tokens are remembered. What is remembered is held against `revocations` at each
    /// use, so it outlives none.
    public init(
        keys: any KeySource, revocations: RevocationList = RevocationList(), cacheCapacity: Int = 100_000,
        now: @escaping @Sendable () -> Timestamp = { .now }
    ) {
        self.source = keys
        self.revocations = revocations
        self.verified = VerifiedTokenCache(capacity: cacheCapacity)
        self.now = now
    }

    /// For the readiness check `keys`.
    public var isReady: Bool { source.isReady }

    /// Who a token stands for, where it was verified before, has not ended and its key is still accepted.
    public func cached(_ token: String) -> AuthenticatedUser? {
        guard token.utf8.count <= AccessToken.maximumBytes else { return nil }
        return cached(TokenDigest(token))
    }

    /// Whether a caller's token was revoked since it was verified: to be asked by whoever had to wait in between.
    public func isRevoked(_ user: AuthenticatedUser) -> Bool { revocations.includes(user) }

    /// - Throws: `missing_token` for an empty one, `invalid_token`, `unavailable` while no keys are known.
    public func verify(_ token: String) async throws(ChatError) -> AuthenticatedUser {
        guard !token.isEmpty else { throw ChatError(.missingToken) }
        guard token.utf8.count <= AccessToken.maximumBytes else {
            throw ChatError(.invalidToken, "The access token is longer than \(AccessToken.maximumBytes) bytes")
        }
        let digest = TokenDigest(token)
        if let user = cached(digest) { return user }
        // One that is remembered and was revoked comes here, too, and is refused below like any other.
        let parsed = try ParsedToken(token)
        let key = try await key(parsed.keyID)
        guard key.isValid(signature: parsed.signature, for: parsed.signedBytes) else { throw .badToken }
        let user = try parsed.claims().user(at: now())
        guard !isRevoked(user) else { throw ChatError(.invalidToken, "The sign-in of this access token has ended") }
        verified.insert(digest, VerifiedToken(user: user, keyID: parsed.keyID))
        return user
    }

    private func cached(_ digest: TokenDigest) -> AuthenticatedUser? {
        guard let token = verified[digest], let expiry = token.user.tokenExpiresAt, now() < expiry,
            source.keys?[token.keyID] != nil, !isRevoked(token.user)
        else { return nil }
        return token.user
    }

    private func key(_ keyID: String) async throws(ChatError) -> VerificationKey {
        guard let keys = source.keys else {
            throw .unavailable("The keys that tokens are checked with are not known yet")
        }
        if let key = keys[keyID] { return key }
        guard let key = try await source.refreshedKeys()[keyID] else { throw .badToken }
        return key
    }
}

extension ChatError {
    /// Says no more than that: which check failed helps only those who forge.
    static let badToken = ChatError(.invalidToken)
}
