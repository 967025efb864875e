import CommonUtil

// Why jwt-kit signs, but does not verify
//
// Measured with jwt-kit 5.7.1 on a token of 368 bytes, release build, least of several rounds: 129 µs with
// JWTKeyCollection.verify, 106 µs here, of which 23 µs are parsing and the rest is Curve25519. So speed is not the reason;
// a token is verified once and then cached anyway. But `verify` accepts tokens that have to be refused:
//
// - an unknown `kid`, and none: it falls back to the collection's default key, so a removed key does not end its tokens;
// - a header whose `alg` is not EdDSA;
// - a header with `crit` (RFC 7515 section 4.1.11);
// - a claim that is there twice, which another parser can read differently;
// - base64url with padding, so that one token has several spellings, each with its own cache entry.
//
// And AudienceClaim traps on an empty array. To check all that before or after jwt-kit means to parse the token twice.
// Signatures themselves are verified by swift-crypto in both cases.

/// Verifies access tokens. A token is verified once and cached; from then on it costs a hash and two lookups.
public final class TokenVerifier: Sendable {
    private let source: any KeySource
    private let verified: VerifiedTokenCache
    private let revocations: RevocationList
    private let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - keys: the source of public keys.
    ///   - revocations: the revoked tokens, checked on each use of a cached token too.
    ///   - cacheCapacity: the maximum number of cached tokens.
    ///   - now: the clock.
    public init(
        keys: any KeySource, revocations: RevocationList = RevocationList(), cacheCapacity: Int = 100_000,
        now: @escaping @Sendable () -> Timestamp = { .now }
    ) {
        self.source = keys
        self.revocations = revocations
        self.verified = VerifiedTokenCache(capacity: cacheCapacity)
        self.now = now
    }

    /// Whether keys are known, for the readiness check `keys`.
    public var isReady: Bool { source.isReady }

    /// Returns the caller of a token that was verified before; `nil` if it was not, has expired or was revoked, or its key
    /// is not accepted any more.
    public func cached(_ token: String) -> AuthenticatedUser? {
        guard token.utf8.count <= AccessToken.maximumBytes else { return nil }
        return cached(TokenDigest(token))
    }

    /// Whether the caller's token was revoked. To be checked again after every wait since the verification.
    public func isRevoked(_ user: AuthenticatedUser) -> Bool { revocations.includes(user) }

    /// Verifies a token: its signature, its claims, and that it was not revoked.
    /// - Throws: `missing_token` for an empty one, `invalid_token`, `unavailable` while no keys are known.
    public func verify(_ token: String) async throws(ChatError) -> AuthenticatedUser {
        guard !token.isEmpty else { throw ChatError(.missingToken) }
        guard token.utf8.count <= AccessToken.maximumBytes else {
            throw ChatError(.invalidToken, "The access token is longer than \(AccessToken.maximumBytes) bytes")
        }
        let digest = TokenDigest(token)
        if let user = cached(digest) { return user }
        // A cached token that was revoked comes here too, and is refused below like any other.
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
    /// The error of every failed check. Which one failed would only help attackers.
    static let badToken = ChatError(.invalidToken)
}

/// A compact JWS (RFC 7515 section 7.1) with a parsed header. Nothing of it is verified yet.
struct ParsedToken {
    /// The `kid` of the header.
    let keyID: String
    /// The decoded signature.
    let signature: [UInt8]
    /// The header and the payload as they were signed.
    let signedBytes: [UInt8]
    private let payload: [UInt8]

    /// Parses a token.
    /// - Throws: `invalid_token` for another algorithm than EdDSA, a missing `kid`, a critical extension (none is known), and
    ///   for text that two parsers could understand differently.
    init(_ token: String) throws(ChatError) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]),
            case .object(let members)? = try? JSONParser.parse(header, uniqueKeys: true),
            members["alg"] == .string(AccessToken.algorithm), members["crit"] == nil,
            case .string(let keyID)? = members["kid"], !keyID.isEmpty
        else { throw .badToken }
        self.keyID = keyID
        self.signature = signature
        self.payload = payload
        self.signedBytes = Array(token.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
    }

    /// Parses the claims. Must be called after the signature was verified.
    func claims() throws(ChatError) -> VerifiedClaims {
        guard case .object(let members)? = try? JSONParser.parse(payload, uniqueKeys: true) else { throw .badToken }
        return VerifiedClaims(members: members)
    }
}

/// The claims of a token with a valid signature.
struct VerifiedClaims {
    let members: JSONObject

    /// Returns the caller.
    /// - Throws: `invalid_token` if the token is for another audience, has expired or is not valid yet.
    func user(at now: Timestamp) throws(ChatError) -> AuthenticatedUser {
        guard members["iss"] == .string(AccessToken.issuer), isForUs,
            case .string(let subject)? = members["sub"], let userID = UserID(text: subject),
            let expiry = time("exp")
        else { throw .badToken }
        guard now < expiry else { throw ChatError(.invalidToken, "The access token has expired") }
        if members["nbf"] != nil {
            guard let start = time("nbf"), start <= now else { throw .badToken }
        }
        return AuthenticatedUser(
            userID: userID, tokenExpiresAt: expiry, tokenIssuedAt: time("iat"), signInID: try signInID())
    }

    /// A `sid` of another form was issued by no system server and cannot be revoked: such a token counts as one without.
    /// - Throws: `invalid_token` if it is not a string.
    private func signInID() throws(ChatError) -> SignInID? {
        guard let claim = members["sid"] else { return nil }
        guard case .string(let text) = claim else { throw .badToken }
        return SignInID(text: text)
    }

    /// One audience or several (RFC 7519 section 4.1.3).
    private var isForUs: Bool {
        let ours = JSONValue.string(AccessToken.audience)
        if case .array(let audiences)? = members["aud"] { return audiences.contains(ours) }
        return members["aud"] == ours
    }

    /// A NumericDate: seconds since 1970, possibly with a fraction (RFC 7519 section 2). Bounded by the year 9999.
    private func time(_ name: String) -> Timestamp? {
        guard case .number(let text)? = members[JSONKey(name)], let seconds = Double(text), !seconds.isNaN else {
            return nil
        }
        let bounded = min(max(seconds, 0), 253_402_300_799)
        return Timestamp(microseconds: Int64(bounded * 1_000_000))
    }
}
