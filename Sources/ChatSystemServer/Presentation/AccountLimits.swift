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

    init(_ environment: ServerEnvironment) throws(ConfigurationError) {
        let configuration = environment.configuration
        registrations = RateLimiter(.registrations, rate: try configuration.value(Settings.limitRegistrations))
        loginsPerAddress = RateLimiter(
            .loginsPerAddress, rate: try configuration.value(Settings.limitLoginsPerAddress))
        loginsPerAccount = RateLimiter(
            .loginsPerAccount, rate: try configuration.value(Settings.limitLoginsPerAccount))
        trustedProxies = environment.trustedProxies
    }

    func checkRegistration(_ request: Request, _ context: ChatRequestContext) throws(ChatError) {
        try registrations.check(address(request, context))
    }

    func checkLogin(_ request: Request, _ context: ChatRequestContext) throws(ChatError) {
        try loginsPerAddress.check(address(request, context))
    }

    /// Every try counts, whether the account exists or not: a refusal must not tell.
    func checkLogin(to username: String) throws(ChatError) { try loginsPerAccount.check(username) }

    private func address(_ request: Request, _ context: ChatRequestContext) -> String {
        context.clientAddress(headers: request.headers, trustedProxies: trustedProxies)
    }
}
