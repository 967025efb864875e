import CommonAuth
import CommonUtil
import Hummingbird
import Logging

/// Who may call a route.
enum RouteAccess: Hashable, Sendable {
    case everyone
    /// Users.
    case users
    /// Users, and servers' keys with a scope.
    case usersAndKeys(KeyScope)
    /// Servers' keys with one of these scopes.
    case keys([KeyScope])

    init(authenticated: Bool, scope: KeyScope?) {
        precondition(authenticated || scope == nil, "a route with a scope is authenticated")
        self = authenticated ? scope.map { .usersAndKeys($0) } ?? .users : .everyone
    }

    /// The scopes of which a key needs one; empty where the route is for no key.
    var scopes: [KeyScope] {
        switch self {
        case .everyone, .users: []
        case .usersAndKeys(let scope): [scope]
        case .keys(let scopes): scopes
        }
    }

    /// Whether users may call it, and keys in their names.
    var isForUsers: Bool {
        if case .keys = self { false } else { true }
    }
}

/// Authenticates the caller of a route, and sets the context's `user` and `key`.
struct Authentication: RouterMiddleware {
    private let authenticator: Authenticator
    private let access: RouteAccess

    init(_ authenticator: Authenticator, _ access: RouteAccess) {
        self.authenticator = authenticator
        self.access = access
    }

    /// - Throws: the errors of the authenticator; `scope` (403) if the route is for keys and a user calls.
    func handle(
        _ request: Request, context: ChatRequestContext,
        next: (Request, ChatRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let caller = try await authenticator.authenticate(
            headers: request.headers, anyOf: access.scopes, mayActForUsers: access.isForUsers)
        if !access.isForUsers, caller.key == nil {
            throw ChatError(.scope, "This call needs a server's key with the scope \(KeyScope.list(access.scopes))")
        }
        context.user = caller.user
        context.key = caller.key
        context.logger[metadataKey: "userId"] = .stringConvertible(caller.user.userID)
        if let key = caller.key { context.logger[metadataKey: "key"] = .stringConvertible(key.key.name) }
        // The call of the key lasts until there is a response.
        defer { withExtendedLifetime(caller) {} }
        return try await next(request, context)
    }
}
