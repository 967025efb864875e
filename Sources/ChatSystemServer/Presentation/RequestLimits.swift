import CommonAuth
import CommonServer
import CommonUtil
import Hummingbird

/// Rate limits on registrations, logins and refreshes for each address, and on login attempts for each account: a
/// password is costly to verify, and must be costly to guess.
struct AccountLimits: Sendable {
    private let registrations: RateLimiter<String>
    private let refreshes: RateLimiter<String>
    private let loginsPerAddress: RateLimiter<String>
    private let loginsPerAccount: RateLimiter<String>
    private let loginsFromUnknownAddresses: RateLimiter<String>
    private let trustedProxies: [AddressRange]

    /// - Parameter shared: the counts that all instances share.
    init(_ rates: AccountRates, shared: SharedLimits, trustedProxies: [AddressRange]) {
        registrations = RateLimiter(.registrations, rate: rates.registrations, shared: shared)
        refreshes = RateLimiter(.refreshes, rate: rates.refreshes, shared: shared)
        loginsPerAddress = RateLimiter(.loginsPerAddress, rate: rates.loginsPerAddress, shared: shared)
        loginsPerAccount = RateLimiter(.loginsPerAccount, rate: rates.loginsPerAccount, shared: shared)
        loginsFromUnknownAddresses = RateLimiter(
            .loginsFromUnknownAddresses, rate: rates.loginsPerAccount.multiplied(by: Self.strangers), shared: shared)
        self.trustedProxies = trustedProxies
    }

    // All addresses that an account has not signed in from share the limit of this many.
    private static let strangers = 10

    /// The caller's address as limits count it.
    func address(_ request: Request, _ context: ChatRequestContext) -> String {
        context.countedAddress(headers: request.headers, trustedProxies: trustedProxies)
    }

    /// - Throws: `rate_limited` (429).
    func checkRegistration(from address: String) async throws(ChatError) { try await registrations.check(address) }

    /// - Throws: `rate_limited` (429).
    func checkLogin(from address: String) async throws(ChatError) { try await loginsPerAddress.check(address) }

    /// Checks the limit of refreshes and logouts, which need no password.
    /// - Throws: `rate_limited` (429).
    func checkRefresh(from address: String) async throws(ChatError) { try await refreshes.check(address) }

    /// Checks the limit of logins to one account. Every attempt counts, whether it succeeds or not and whether the
    /// account exists or not: a refusal must not reveal that.
    ///
    /// Each address has a limit of its own for each account, so that nobody locks the owner out. Against attackers with
    /// many addresses, all addresses that the account has not signed in from share another limit.
    /// - Parameter accounts: says, within the first limit, whether this account signed in from this address recently.
    /// - Throws: `rate_limited` (429).
    func checkLogin(
        to username: String, from address: String, _ accounts: AccountService
    ) async throws {
        // No address holds a space, so no name makes one of these keys look like another's.
        try await loginsPerAccount.check("\(address) \(username)")
        guard try await !accounts.isKnown(address, to: username) else { return }
        try await loginsFromUnknownAddresses.check(username)
    }
}

/// The settings of ``AccountLimits``.
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

/// The limit on a user's changes of rooms, members and names (`CHAT_LIMIT_CHANGES`): each change is an event in the
/// logs of others.
///
/// Marking rooms read makes no event, writes one row at most and is frequent, so it is counted apart, at the same rate,
/// by each process for itself.
struct ChangeLimits: Sendable {
    private let changes: RateLimiter<UserID>
    private let readMarks: RateLimiter<UserID>

    /// - Parameter shared: the counts that all instances share.
    init(rate: Rate, shared: SharedLimits) {
        changes = RateLimiter(.changes, rate: rate, shared: shared)
        readMarks = RateLimiter(.readMarks, rate: rate)
    }

    /// Counts a change, before it is validated: refused changes count, too. Those of the installation do not.
    /// - Returns: the caller.
    /// - Throws: `rate_limited` (429).
    func admitChange(_ context: ChatRequestContext) async throws(ChatError) -> UserID {
        let userID = try context.requireUser().userID
        if !userID.isInstallation { try await changes.check(userID) }
        return userID
    }

    /// Counts a read mark, as ``admitChange(_:)``.
    func admitReadMark(_ context: ChatRequestContext) async throws(ChatError) -> UserID {
        let userID = try context.requireUser().userID
        try await readMarks.check(userID)
        return userID
    }
}
