import CommonUtil
import HTTPTypes

/// Authenticates callers by the headers of their requests.
public struct Authenticator: Sendable {
    /// How callers are authenticated.
    public let mode: AuthMode
    private let verifier: TokenVerifier?
    private let keys: KeyAuthenticator?

    /// - Parameters:
    ///   - mode: how callers are authenticated.
    ///   - verifier: verifies access tokens. Required in `token` mode; with it tokens are accepted in `trusted` mode too.
    ///   - keys: authenticates servers by their keys, in both modes; without it no key is accepted.
    public init(mode: AuthMode, verifier: TokenVerifier?, keys: KeyAuthenticator? = nil) {
        precondition(mode == .trusted || verifier != nil, "token mode needs a verifier")
        self.mode = mode
        self.verifier = verifier
        self.keys = keys
    }

    /// Returns the caller where that needs no waiting: the token was verified before, or the mode is `trusted`. Never for a
    /// key.
    /// - Parameters:
    ///   - authorization: the value of `Authorization`.
    ///   - userID: the value of `X-User-Id`.
    public func cachedUser(authorization: String?, userID: String?) -> AuthenticatedUser? {
        if let verifier, let authorization {
            return (try? Self.bearerToken(authorization)).flatMap { verifier.cached($0) }
        }
        guard mode == .trusted, Self.key(authorization) == nil else { return nil }
        return try? Self.claimedUser(userID)
    }

    /// Authenticates a caller.
    /// - Parameter scope: what the route asks of a key; `nil` if it is for no key.
    /// - Throws: `missing_token` or `invalid_token` (401); `unavailable` (503) while no keys are known; for a key also the
    ///   errors of ``KeyAuthenticator``. `malformed_request` (400) for `X-On-Behalf-Of` without a key.
    public func authenticate(headers: HTTPFields, scope: KeyScope? = nil) async throws -> Caller {
        try await authenticate(headers: headers, anyOf: scope.map { [$0] } ?? [])
    }

    /// Authenticates a caller, as ``authenticate(headers:scope:)``.
    /// - Parameters:
    ///   - scopes: of which a key needs one; empty where the route is for no key.
    ///   - mayActForUsers: whether a key may act for a user there; else `forbidden` (403).
    public func authenticate(
        headers: HTTPFields, anyOf scopes: [KeyScope], mayActForUsers: Bool = true
    ) async throws -> Caller {
        if let keys, let key = Self.key(headers[.authorization]) {
            return try await keys.authenticate(key, headers, anyOf: scopes, mayActForUsers: mayActForUsers)
        }
        try Self.checkOnBehalf(headers[.onBehalfOf], authorization: headers[.authorization])
        return Caller(user: try await user(headers))
    }

    /// Refuses `X-On-Behalf-Of` of a caller who sends no server's key. For connections that are for no key: whoever sends one
    /// is refused in any case.
    /// - Throws: `malformed_request` (400).
    public static func checkOnBehalf(_ onBehalfOf: String?, authorization: String?) throws(ChatError) {
        guard onBehalfOf == nil || key(authorization) != nil else {
            throw ChatError(.malformedRequest, "X-On-Behalf-Of is for callers with a server's key")
        }
    }

    private func user(_ headers: HTTPFields) async throws(ChatError) -> AuthenticatedUser {
        if let verifier, let authorization = headers[.authorization] {
            return try await verifier.verify(try Self.bearerToken(authorization))
        }
        guard mode == .trusted else {
            throw ChatError(.missingToken, "An access token is required: Authorization: Bearer …")
        }
        return try Self.claimedUser(headers[.userID])
    }

    /// The key in a value of `Authorization`, valid or not; `nil` if there is none.
    private static func key(_ authorization: String?) -> String? {
        guard let authorization, let token = try? bearerToken(authorization) else { return nil }
        return ServerKeySecret.isKey(token) ? token : nil
    }

    private static func claimedUser(_ text: String?) throws(ChatError) -> AuthenticatedUser {
        guard let text else {
            throw ChatError(.missingToken, "The header X-User-Id, a positive integer, is required")
        }
        guard let userID = UserID(text: text) else {
            if UserID.isTooLarge(text) { throw .invalid("X-User-Id", UserID.requirement) }
            throw ChatError(.invalidToken, "The header X-User-Id must be a positive integer")
        }
        return AuthenticatedUser(userID: userID, tokenExpiresAt: nil)
    }

    /// Returns the token of `Authorization: Bearer …` (RFC 6750 section 2.1). The scheme is case-insensitive (RFC 9110
    /// section 11.1).
    /// - Throws: `invalid_token` for another scheme or an empty token.
    public static func bearerToken(_ authorization: String) throws(ChatError) -> String {
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw ChatError(.invalidToken, "The header Authorization must be: Bearer, a space, the token")
        }
        return String(parts[1])
    }
}

extension HTTPField.Name {
    /// `X-User-Id`: the caller in `trusted` mode.
    public static let userID = HTTPField.Name(constant: "X-User-Id")

    /// Creates a name from a literal.
    public init(constant name: StaticString) {
        guard let name = HTTPField.Name("\(name)") else { preconditionFailure("not a field name") }
        self = name
    }
}

/// An authenticated caller.
public struct AuthenticatedUser: Sendable, Hashable {
    /// The user.
    public let userID: UserID
    /// The token's `exp`; `nil` for a caller without a token (`trusted` mode).
    public let tokenExpiresAt: Timestamp?
    /// The token's `iat`; `nil` if it has none.
    public let tokenIssuedAt: Timestamp?
    /// The token's `sid`; `nil` if it has none, since an older server issued it.
    public let signInID: SignInID?

    /// Creates a caller.
    public init(
        userID: UserID, tokenExpiresAt: Timestamp?, tokenIssuedAt: Timestamp? = nil, signInID: SignInID? = nil
    ) {
        self.userID = userID
        self.tokenExpiresAt = tokenExpiresAt
        self.tokenIssuedAt = tokenIssuedAt
        self.signInID = signInID
    }
}
