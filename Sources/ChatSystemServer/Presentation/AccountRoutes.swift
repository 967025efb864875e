import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of accounts, tokens and the keys that sign them.
enum AccountRoutes {
    /// Length of a refresh token, in characters.
    private static let tokenLength = 1...512

    static func add(
        to routes: inout Routes, _ accounts: AccountService, _ limits: AccountLimits, registration: Registration
    ) {
        routes.get("/.well-known/jwks.json") { _, _ in
            var response = Response(jsonBytes: accounts.signer.jwksJSON)
            response.headers[.cacheControl] = "public, max-age=60"
            return response
        }
        routes.post("/api/v1/auth/register") { request, context in
            let address = limits.address(request, context)
            try await limits.checkRegistration(from: address)
            guard registration == .open else { throw ChatError(.registrationClosed) }
            var fields = try await request.fields(context)
            let username = AccountRules.username(&fields)
            let password = fields.string("password", length: AccountRules.passwordLength)
            let displayName = fields.optionalString("displayName", length: AccountRules.displayNameLength)
            try fields.finish()
            guard let username, let password else { throw fields.incomplete }
            let user = try await accounts.register(
                username: username, password: password, displayName: displayName, from: address)
            return Response(json: user, status: .created)
        }
        routes.post("/api/v1/auth/login") { request, context in
            let address = limits.address(request, context)
            try await limits.checkLogin(from: address)
            var fields = try await request.fields(context)
            // A malformed name is wrong credentials, not an invalid field.
            let username = fields.string("username", length: 0...256)
            let password = fields.string("password", length: 0...1_024)
            try fields.finish()
            guard let username, let password else { throw fields.incomplete }
            let name = AccountRules.folded(username)
            try await limits.checkLogin(to: name, from: address, accounts)
            return Response(
                json: try await accounts.login(
                    username: name, password: password, from: address, userAgent: request.sanitizedUserAgent))
        }
        routes.post("/api/v1/auth/refresh") { request, context in
            try await limits.checkRefresh(from: limits.address(request, context))
            let token = try await refreshToken(request, context)
            return Response(json: try await accounts.refresh(token))
        }
        routes.post("/api/v1/auth/logout") { request, context in
            try await limits.checkRefresh(from: limits.address(request, context))
            let token = try await refreshToken(request, context)
            try await accounts.logout(token)
            return .noContent
        }
        routes.post("/api/v1/auth/logout-all", authenticated: true) { request, context in
            try await limits.checkRefresh(from: limits.address(request, context))
            try await accounts.signIns.logOutEverywhere(context.requireUser())
            return .noContent
        }
        routes.put("/api/v1/users/me/password", authenticated: true) { request, context in
            // Guessing passwords is possible here as at the login, so it has the same limits.
            let address = limits.address(request, context)
            try await limits.checkLogin(from: address)
            var fields = try await request.fields(context)
            // A malformed current password is wrong, not invalid.
            let current = fields.string("current", length: 0...1_024)
            let next = fields.string("next", length: AccountRules.passwordLength)
            try fields.finish()
            guard let current, let next else { throw fields.incomplete }
            try await accounts.changePassword(
                of: context.requireUser(), from: current, to: next, address: address
            ) { username in
                try await limits.checkLogin(to: username, from: address, accounts)
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
}
