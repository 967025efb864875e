import CommonServer
import CommonUtil
import Hummingbird

/// How often one address may register and log in, and how often logging in to one account may be tried: a password is
/// costly to check, and must be costly to guess.
struct AccountLimits: Sendable {
    private let registrations: RateLimiter<String>
    private let loginsPerAddress: RateLimiter<String>
    private let loginsPerAccount: RateLimiter<String>
    private let trustedProxies: [AddressRange]

    /// - Parameter shared: through which all instances count together.
    init(_ rates: AccountRates, shared: SharedLimits, trustedProxies: [AddressRange]) {
        registrations = RateLimiter(.registrations, rate: rates.registrations, shared: shared)
        loginsPerAddress = RateLimiter(.loginsPerAddress, rate: rates.loginsPerAddress, shared: shared)
        loginsPerAccount = RateLimiter(.loginsPerAccount, rate: rates.loginsPerAccount, shared: shared)
        self.trustedProxies = trustedProxies
    }

    func checkRegistration(_ request: Request, _ context: ChatRequestContext) async throws(ChatError) {
        try await registrations.check(address(request, context))
    }

    func checkLogin(_ request: Request, _ context: ChatRequestContext) async throws(ChatError) {
        try await loginsPerAddress.check(address(request, context))
    }

    /// Every try counts, whether the account exists or not: a refusal must not tell.
    func checkLogin(to username: String) async throws(ChatError) { try await loginsPerAccount.check(username) }

    private func address(_ request: Request, _ context: ChatRequestContext) -> String {
        context.clientAddress(headers: request.headers, trustedProxies: trustedProxies)
    }
}

/// The rates of ``AccountLimits``.
struct AccountRates: Sendable {
    let registrations: Rate
    let loginsPerAddress: Rate
    let loginsPerAccount: Rate

    init(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        registrations = try configuration.value(Settings.limitRegistrations)
        loginsPerAddress = try configuration.value(Settings.limitLoginsPerAddress)
        loginsPerAccount = try configuration.value(Settings.limitLoginsPerAccount)
    }
}
