import CommonUtil
import HTTPTypes

/// Tells from a request's headers who is calling.
public struct Authenticator: Sendable {
    public let mode: AuthMode
    private let verifier: TokenVerifier?

    /// A verifier is required in `token` mode; in `trusted` mode tokens are accepted too where there is one.
    public init(mode: AuthMode, verifier: TokenVerifier?) {
        precondition(mode == .trusted || verifier != nil, "token mode needs a verifier")
        self.mode = mode
        self.verifier = verifier
    }

    /// The caller, where that can be told without waiting: the token was verified before, or the mode is `trusted`.
    ///
    /// - Parameters:
    ///   - authorization: the value of `Authorization`.
    ///   - userID: that of `X-User-Id`.
    public func userAtOnce(authorization: String?, userID: String?) -> AuthenticatedUser? {
        if let verifier, let authorization {
            return (try? Self.bearerToken(authorization)).flatMap { verifier.cached($0) }
        }
        return mode == .trusted ? try? Self.claimedUser(userID) : nil
    }

    /// - Throws: `missing_token` or `invalid_token` (401); `unavailable` (503) while no keys are known.
    public func authenticate(headers: HTTPFields) async throws(ChatError) -> AuthenticatedUser {
        if let verifier, let authorization = headers[.authorization] {
            return try await verifier.verify(try Self.bearerToken(authorization))
        }
        guard mode == .trusted else {
            throw ChatError(.missingToken, "An access token is required: Authorization: Bearer …")
        }
        return try Self.claimedUser(headers[.userID])
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

    /// The token of `Authorization: Bearer …` (RFC 6750 section 2.1; the scheme's case does not matter, RFC 9110
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
    /// Who is calling, in `trusted` mode.
    public static let userID = HTTPField.Name(constant: "X-User-Id")

    /// For names that stand in the source.
    public init(constant name: StaticString) {
        guard let name = HTTPField.Name("\(name)") else { preconditionFailure("not a field name") }
        self = name
    }
}
