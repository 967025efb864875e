import ChatStorage
import CommonAuth
import CommonUtil

/// The use cases of tokens of other issuers: exchanging one for a sign-in, and erasing the user whom one names.
struct ExchangeService: Sendable {
    /// The age of a token with which a user erases itself, at most.
    private static let erasureSeconds: Int64 = 300

    let issuers: IssuerDirectory
    let users: IssuedUserRepository
    let accounts: AccountService

    /// Exchanges a token for a sign-in. The user is made at first sight.
    /// - Throws: `invalid_token`, `issuer_unavailable`, `user_disabled`.
    func exchange(_ token: String, userAgent: String?) async throws -> TokenPair {
        let identity = try await issuers.identity(token)
        let displayName =
            identity.name.flatMap(AccountRules.displayName(from:))
            ?? AccountRules.displayName(of: identity.externalID)
        let (userID, isDisabled) = try await users.user(
            identity.externalID, name: identity.name, displayName: displayName)
        guard !isDisabled else { throw ChatError(.userDisabled) }
        return try await accounts.signIn(
            userID, issuer: identity.issuer.issuer, isRefreshable: identity.issuer.allowsRefresh, userAgent: userAgent)
    }

    /// Checks that a token of an issuer names the caller and is fresh, for what needs a password of others.
    /// - Throws: `invalid_token`, `issuer_unavailable`.
    func confirm(_ userID: UserID, by token: String) async throws {
        let identity = try await issuers.identity(token)
        guard let issuedAt = identity.issuedAt,
            Timestamp.now.microseconds - issuedAt.microseconds <= Self.erasureSeconds * 1_000_000
        else { throw ChatError(.invalidToken, "The token must be at most five minutes old") }
        guard try await accounts.users.user(externalID: identity.externalID)?.userID == userID else {
            throw ChatError(.invalidToken, "The token is another user's")
        }
    }
}
