import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// The REST routes of a user's own sign-ins, of guests and other programs' users, and of the end of an account.
struct SessionRoutes {
    let accounts: AccountService
    let managed: ManagedUserService
    let limits: AccountLimits
    let guests: GuestAccess
    let exchange: ExchangeService

    /// Length of an issuer's token, in characters; longer than any that is accepted.
    private static let tokenLength = 32 * 1_024

    func add(to routes: inout Routes) {
        addSessions(to: &routes)
        addGuests(to: &routes)
        addExchange(to: &routes)
        addErasing(to: &routes)
    }

    private func addSessions(to routes: inout Routes) {
        routes.get("/api/v1/sessions", authenticated: true) { _, context in
            let user = try context.requireUser()
            let signIns = try await accounts.signIns.signIns.signIns(of: user.userID)
            return Response(
                json: Page(
                    items: signIns.map { Session(signIn: $0, isCurrent: $0.signInID == user.signInID) },
                    nextCursor: nil))
        }
        routes.delete("/api/v1/sessions/{id}", authenticated: true) { request, context in
            try await limits.checkRefresh(from: limits.address(request, context))
            guard let signInID = SignInID(text: try context.pathParameter("id")) else {
                throw ChatError(.sessionNotFound)
            }
            try await accounts.signIns.end(signInID, of: context.requireUser().userID)
            return .noContent
        }
    }

    private func addGuests(to routes: inout Routes) {
        routes.post("/api/v1/auth/guest") { request, context in
            try await limits.checkRegistration(from: limits.address(request, context))
            guard guests == .on else { throw ChatError(.guestsOff) }
            var fields = try await request.optionalFields(context)
            let displayName = fields.optionalString("displayName", length: AccountRules.displayNameLength)
            try fields.finish()
            let pair = try await accounts.signInGuest(displayName: displayName, userAgent: request.sanitizedUserAgent)
            return Response(json: pair, status: .created)
        }
    }

    private func addExchange(to routes: inout Routes) {
        routes.post("/api/v1/auth/exchange") { request, context in
            var fields = try await request.fields(context)
            let token = fields.string("token", length: 0...Self.tokenLength)
            try fields.finish()
            guard let token else { throw fields.incomplete }
            do {
                return Response(json: try await exchange.exchange(token, userAgent: request.sanitizedUserAgent))
            } catch let error as ChatError where error.code == .invalidToken || error.code == .userDisabled {
                // Failures count as logins of the address.
                try await limits.checkLogin(from: limits.address(request, context))
                throw error
            }
        }
    }

    private func addErasing(to routes: inout Routes) {
        routes.post("/api/v1/users/me/erase", authenticated: true) { request, context in
            // Guessing passwords is possible here as at the login, so it has the same limits.
            let address = limits.address(request, context)
            try await limits.checkLogin(from: address)
            var fields = try await request.fields(context)
            // A malformed password is wrong, not invalid.
            let password = fields.optionalString("password", length: 0...1_024)
            let token = fields.optionalString("token", length: 0...Self.tokenLength)
            try fields.finish()
            let user = try context.requireUser()
            try await confirm(user, password: password, token: token, address: address)
            try await managed.erase(user.userID, by: user.userID)
            return .noContent
        }
    }

    /// Checks that a call comes from the user, and not from somebody with a stolen access token.
    private func confirm(_ user: AuthenticatedUser, password: String?, token: String?, address: String) async throws {
        if let password {
            _ = try await accounts.verified(user, password, address: address) { username in
                try await limits.checkLogin(to: username, from: address, accounts)
            }
        } else if let token {
            try await exchange.confirm(user.userID, by: token)
        } else {
            throw ChatError.invalid("password", "is required; users without a password send token")
        }
    }
}

/// A sign-in in the list of the user's own: `{sessionId, createdAt, lastUsedAt, userAgent?, isCurrent}`.
private struct Session: JSONEncodable {
    let signIn: SignInRecord
    /// Whether the caller's token is of this sign-in.
    let isCurrent: Bool

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("sessionId", signIn.signInID.description)
            writer.member("createdAt", signIn.createdAt)
            writer.member("lastUsedAt", signIn.lastUsedAt)
            writer.member("userAgent", ifPresent: signIn.userAgent)
            writer.member("isCurrent", isCurrent)
        }
    }
}

extension Request {
    /// The program that calls, as it calls itself, for the user to recognize it: without control characters, and cut.
    var sanitizedUserAgent: String? {
        headers[.userAgent].flatMap { AccountRules.shown($0, maximumLength: 256) }
    }
}
