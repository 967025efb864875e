import CommonServer
import CommonUtil
import Hummingbird

/// How often one address may register, log in and refresh, and how often logging in to one account may be tried: a
/// password is costly to check, and must be costly to guess.
struct AccountLimits: Sendable {
    private let registrations: RateLimiter<String>
    private let refreshes: RateLimiter<String>
    private let loginsPerAddress: RateLimiter<String>
    private let loginsPerAccount: RateLimiter<String>
    private let loginsFromStrangers: RateLimiter<String>
    private let trustedProxies: [AddressRange]

    /// - Parameter shared: through which all instances count together.
    init(_ rates: AccountRates, shared: SharedLimits, trustedProxies: [AddressRange]) {
        registrations = RateLimiter(.registrations, rate: rates.registrations, shared: shared)
        refreshes = RateLimiter(.refreshes, rate: rates.refreshes, shared: shared)
        loginsPerAddress = RateLimiter(.loginsPerAddress, rate: rates.loginsPerAddress, shared: shared)
        loginsPerAccount = RateLimiter(.loginsPerAccount, rate: rates.loginsPerAccount, shared: shared)
        loginsFromStrangers = RateLimiter(
            .loginsFromStrangers, rate: rates.loginsPerAccount.multiplied(by: Self.strangers), shared: shared)
        self.trustedProxies = trustedProxies
    }

    /// All addresses that an account is not known from may try as often together as so many of them.
    private static let strangers = 10

    /// The caller's address, as it is counted.
    func address(_ request: Request, _ context: ChatRequestContext) -> String {
        context.countedAddress(headers: request.headers, trustedProxies: trustedProxies)
    }

    func checkRegistration(from address: String) async throws(ChatError) { try await registrations.check(address) }

    func checkLogin(from address: String) async throws(ChatError) { try await loginsPerAddress.check(address) }

    /// Refreshing and logging out: what is done to sign-ins without a password.
    func checkRefresh(from address: String) async throws(ChatError) { try await refreshes.check(address) }

    /// Every try counts, whether it succeeds or not and whether the account exists or not: a refusal must not tell.
    ///
    /// Each address has tries of its own for each account, so that nobody locks another one out. Against those who have
    /// many addresses, all that an account is not known from have a bound together; one that it was signed in from is not
    /// concerned, whatever strangers do.
    /// - Parameter isKnown: whether this account was signed in to from there of late. Asked only of who may try at all.
    func checkLogin(
        to username: String, from address: String, isKnown: () async throws -> Bool
    ) async throws {
        // No address holds a space, so no name makes one of these keys look like another's.
        try await loginsPerAccount.check("\(address) \(username)")
        if try await !isKnown() { try await loginsFromStrangers.check(username) }
    }
}

/// The rates of ``AccountLimits``.
struct AccountRates: Sendable {
    let registrations: Rate
    let refreshes: Rate
    let loginsPerAddress: Rate
    let loginsPerAccount: Rate

    init(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        registrations = try configuration.value(Settings.limitRegistrations)
        refreshes = try configuration.value(Settings.limitRefreshes)
        loginsPerAddress = try configuration.value(Settings.limitLoginsPerAddress)
        loginsPerAccount = try configuration.value(Settings.limitLoginsPerAccount)
    }
}
