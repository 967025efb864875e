import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// Accounts, tokens, keys and users.
enum AccountRoutes {
    /// Longest refresh token that is looked at.
    private static let tokenLength = 1...512
    /// The name of the list of users in its cursors.
    private static let userList = "users"

    static func add(to routes: inout Routes, _ accounts: AccountService, _ limits: AccountLimits) {
        addAuthentication(to: &routes, accounts, limits)
        addUsers(to: &routes, accounts)
    }

    private static func addAuthentication(
        to routes: inout Routes, _ accounts: AccountService, _ limits: AccountLimits
    ) {
        routes.get("/.well-known/jwks.json") { _, _ in
            var response = Response(jsonBytes: accounts.signer.jwksJSON)
            response.headers[.cacheControl] = "public, max-age=60"
            return response
        }
        routes.post("/api/v1/auth/register") { request, context in
            try await limits.checkRegistration(request, context)
            var fields = try await request.fields(context)
            let username = AccountRules.username(&fields)
            let password = fields.string("password", length: AccountRules.passwordLength)
            let displayName = fields.optionalString("displayName", length: AccountRules.displayNameLength)
            try fields.finish()
            guard let username, let password else { throw fields.incomplete }
            let user = try await accounts.register(username: username, password: password, displayName: displayName)
            return Response(json: user, status: .created)
        }
        routes.post("/api/v1/auth/login") { request, context in
            try await limits.checkLogin(request, context)
            var fields = try await request.fields(context)
            // Whatever the form of the name: it is wrong, not invalid.
            let username = fields.string("username", length: 0...256)
            let password = fields.string("password", length: 0...1_024)
            try fields.finish()
            guard let username, let password else { throw fields.incomplete }
            let name = AccountRules.folded(username)
            try await limits.checkLogin(to: name)
            return Response(json: try await accounts.login(username: name, password: password))
        }
        routes.post("/api/v1/auth/refresh") { request, context in
            let token = try await refreshToken(request, context)
            return Response(json: try await accounts.refresh(token))
        }
        routes.post("/api/v1/auth/logout") { request, context in
            let token = try await refreshToken(request, context)
            try await accounts.logout(token)
            return .noContent
        }
        routes.post("/api/v1/auth/logout-all", authenticated: true) { _, context in
            try await accounts.signIns.logOutEverywhere(context.requireUser())
            return .noContent
        }
        routes.put("/api/v1/users/me/password", authenticated: true) { request, context in
            // Trying passwords is as costly here as at the login, and counts there.
            try await limits.checkLogin(request, context)
            var fields = try await request.fields(context)
            // Whatever the form of the present one: it is wrong, not invalid.
            let current = fields.string("current", length: 0...1_024)
            let next = fields.string("next", length: AccountRules.passwordLength)
            try fields.finish()
            guard let current, let next else { throw fields.incomplete }
            try await accounts.changePassword(of: context.requireUser(), from: current, to: next) { username in
                try await limits.checkLogin(to: username)
            }
            return .noContent
        }
    }

    private static func refreshToken(_ request: Request, _ context: ChatRequestContext) async throws -> String {
        var fields = try await request.fields(context)
        let token = fields.string("refreshToken", length: tokenLength)
        try fields.finish()
        guard let token else { throw fields.incomplete }
        return token
    }

    private static func addUsers(to routes: inout Routes, _ accounts: AccountService) {
        routes.get("/api/v1/users/me", authenticated: true) { _, context in
            Response(json: try await accounts.profile(of: context.requireUser().userID))
        }
        routes.patch("/api/v1/users/me", authenticated: true) { request, context in
            var fields = try await request.fields(context)
            let displayName = fields.string("displayName", length: AccountRules.displayNameLength)
            try fields.finish()
            guard let displayName else { throw fields.incomplete }
            return Response(json: try await accounts.rename(context.requireUser().userID, to: displayName))
        }
        routes.get("/api/v1/users/{id}", authenticated: true) { _, context in
            Response(json: try await accounts.profile(of: context.userID()))
        }
        routes.get("/api/v1/users", authenticated: true) { request, _ in
            var query = QueryReader(request)
            let prefix = query.optionalString("query", length: 0...AccountRules.usernameLength.upperBound) ?? ""
            let cursor = query.optionalCursor(of: userList, partCount: 1)
            let limit = query.pageLimit()
            try query.finish()
            let users = try await accounts.users.users(
                prefix: AccountRules.folded(prefix), after: cursor?.parts[0], limit: limit + 1)
            return Response(json: Page(fetched: users, limit: limit, cursor: { Cursor(of: userList, [$0.username]) }))
        }
    }
}
