import CommonUtil
import HTTPTypes

/// Authenticates calls that are made with a server's key.
public struct KeyAuthenticator: Sendable {
    /// Finds the user that a key acts for.
    /// - Throws: `user_not_found` (404), `user_disabled` (403), `guest` (403).
    public typealias FindUser = @Sendable (UserReference) async throws -> UserID

    private let keys: ServerKeyList
    private let calls: KeyConcurrencyLimiter
    private let findUser: FindUser

    /// - Parameters:
    ///   - keys: the known keys.
    ///   - calls: bounds the calls of each key.
    ///   - findUser: finds the user of `X-On-Behalf-Of`.
    public init(
        keys: ServerKeyList, calls: KeyConcurrencyLimiter = KeyConcurrencyLimiter(), findUser: @escaping FindUser
    ) {
        self.keys = keys
        self.calls = calls
        self.findUser = findUser
    }

    /// Authenticates a call.
    /// - Parameters:
    ///   - token: the bearer token, a key.
    ///   - headers: of the request.
    ///   - scopes: of which the route asks one of a key; empty where it is for no key.
    ///   - mayActForUsers: whether the route takes `X-On-Behalf-Of`.
    /// - Throws: `invalid_token` (401), `scope` (403), `rate_limited` (429), `malformed_request` (400), `forbidden` (403) for
    ///   a user whom the route does not take, and the errors of ``FindUser``.
    func authenticate(
        _ token: String, _ headers: HTTPFields, anyOf scopes: [KeyScope], mayActForUsers: Bool
    ) async throws -> Caller {
        let key = try await keys.key(token)
        guard !scopes.isEmpty else { throw ChatError(.scope, "This call is not for keys") }
        guard scopes.contains(where: key.scopes.contains) else {
            throw ChatError(.scope, "The key \(key.name) does not have the scope \(KeyScope.list(scopes))")
        }
        let call = try calls.begin(key.name)
        guard let reference = try Self.onBehalfOf(headers) else {
            let installation = AuthenticatedUser(userID: .installation, tokenExpiresAt: nil)
            return Caller(user: installation, key: KeyCaller(key: key, call: call, isOnBehalf: false))
        }
        guard mayActForUsers else {
            throw ChatError(.forbidden, "This call is made for the installation, not on behalf of a user")
        }
        let user = AuthenticatedUser(userID: try await findUser(reference), tokenExpiresAt: nil)
        return Caller(user: user, key: KeyCaller(key: key, call: call, isOnBehalf: true))
    }

    /// Reads `X-On-Behalf-Of`, which is percent-encoded.
    private static func onBehalfOf(_ headers: HTTPFields) throws(ChatError) -> UserReference? {
        let values = headers[values: .onBehalfOf]
        guard let value = values.first else { return nil }
        guard values.count == 1 else {
            throw ChatError(.malformedRequest, "X-On-Behalf-Of is there \(values.count) times")
        }
        guard let text = PercentEncoding.decode(value), let reference = UserReference(text)
        else { throw ChatError(.malformedRequest, "X-On-Behalf-Of \(UserReference.rule), percent-encoded") }
        return reference
    }
}

/// Who makes a call: a user, or a key for a user or for the installation.
public struct Caller: Sendable {
    /// The user whose rights count; ``UserID/installation`` for a key that acts for no user.
    public let user: AuthenticatedUser
    /// The key; `nil` if the user calls.
    public let key: KeyCaller?

    /// Describes a caller.
    public init(user: AuthenticatedUser, key: KeyCaller? = nil) {
        self.user = user
        self.key = key
    }
}

/// A key that makes a call. A class, so that the calls of users, which have none, carry no more than a pointer.
public final class KeyCaller: Sendable {
    public let key: ServerKey
    /// The call in progress, for one that waits.
    public let call: KeyConcurrencyLimiter.Call
    /// Whether the key acts for a user (`X-On-Behalf-Of`).
    public let isOnBehalf: Bool

    init(key: ServerKey, call: KeyConcurrencyLimiter.Call, isOnBehalf: Bool) {
        self.key = key
        self.call = call
        self.isOnBehalf = isOnBehalf
    }
}

extension HTTPField.Name {
    /// `X-On-Behalf-Of`: the user that a key acts for.
    public static let onBehalfOf = HTTPField.Name(constant: "X-On-Behalf-Of")
}
