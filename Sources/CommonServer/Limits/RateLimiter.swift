import CommonAuth
import CommonUtil
import HTTPTypes
import Hummingbird
import Metrics
import Synchronization

/// A rate limit per user, address or name. Counted by all instances together where they share it through Redis, else by
/// this process alone.
public final class RateLimiter<Key: Hashable & Sendable & CustomStringConvertible>: Sendable {
    /// Called with the time until there is a token, or `nil` for a granted one.
    private typealias Waiter = @Sendable (Duration?) -> Void
    private typealias Buckets = SharedBuckets<Key, Waiter>

    private let name: RateLimitName
    private let rate: Rate
    private let shared: SharedLimits?
    private let buckets: Mutex<Buckets>
    private let refused: Counter

    /// - Parameters:
    ///   - name: the label of `chat_rate_limited_total`.
    ///   - rate: the limit of each key.
    ///   - shared: Redis, for a limit that all instances count together.
    public init(_ name: RateLimitName, rate: Rate, shared: SharedLimits? = nil) {
        self.name = name
        self.rate = rate
        self.shared = shared
        buckets = Mutex(Buckets(rate: rate))
        refused = name.refusals
    }

    /// Takes a token. Should be called before there is work that a refusal would waste.
    /// - Parameter proceed: called exactly once, nearly always before this returns (see ``SharedBuckets``): with `nil`, or
    ///   with `rate_limited` (429) and the seconds until there is a token.
    public func check(_ key: Key, then proceed: @escaping @Sendable (ChatError?) -> Void) {
        guard !rate.isUnlimited else { return proceed(nil) }
        decide(key) { [refused] wait in
            guard let wait else { return proceed(nil) }
            refused.increment()
            proceed(ChatError(.rateLimited, retryAfterSeconds: Self.wholeSeconds(wait)))
        }
    }

    /// Takes a token, as ``check(_:then:)``.
    /// - Throws: `rate_limited` (429).
    public func check(_ key: Key) async throws(ChatError) {
        guard !rate.isUnlimited else { return }
        let refusal = await withCheckedContinuation { caller in
            check(key) { caller.resume(returning: $0) }
        }
        if let refusal { throw refusal }
    }

    private func decide(_ key: Key, _ waiter: @escaping Waiter) {
        let verdict = buckets.withLock { $0.take(key, isShared: shared?.isShared ?? false, at: .now) }
        switch verdict {
        case .granted:
            if let shared, shared.mayTryAgain() {
                Task { _ = await shared.send(Buckets.Request(key: key, spent: 1, wanted: 0), limit: name, rate: rate) }
            }
            waiter(nil)
        case .refused(let wait): waiter(wait)
        case .undecided:
            let request = buckets.withLock { $0.wait(waiter, for: key, at: .now) }
            if let request { Task { await settle(request) } }
        }
    }

    /// Sends requests until no caller waits for this key.
    private func settle(_ first: Buckets.Request) async {
        var next: Buckets.Request? = first
        while let request = next {
            let reply = await shared?.send(request, limit: name, rate: rate)
            let decisions: [Buckets.Decision]
            (decisions, next) = buckets.withLock { buckets in
                guard let reply else { return (buckets.failed(request.key, at: .now), nil) }
                return buckets.received(reply, for: request.key, at: .now)
            }
            for decision in decisions { decision.waiter(decision.refusal) }
        }
    }

    /// Rounded up, so that there is a token after as many seconds.
    static func wholeSeconds(_ wait: Duration) -> Int {
        let (seconds, attoseconds) = wait.components
        return max(1, Int(seconds) + (attoseconds > 0 ? 1 : 0))
    }
}

/// The names of the limits: the label `limit` of `chat_rate_limited_total`.
public enum RateLimitName: String, Sendable {
    case posts, frames, registrations, refreshes, changes, reads, files
    case readMarks = "read_marks"
    case loginsPerAccount = "logins_per_account"
    case loginsPerAddress = "logins_per_address"
    case loginsFromUnknownAddresses = "logins_from_strangers"
    case sockets
    case socketsPerUser = "sockets_per_user"
    case socketsPerAddress = "sockets_per_address"
    case connectionsPerAddress = "connections_per_address"

    /// The counter of refusals by this limit.
    public var refusals: Counter { refusals(in: MetricsSystem.factory) }

    func refusals(in factory: any MetricsFactory) -> Counter {
        Counter(label: "chat_rate_limited_total", dimensions: [("limit", rawValue)], factory: factory)
    }
}

/// The limit on reading calls (`CHAT_LIMIT_READS`): per user, and per address where no user is authenticated.
///
/// Each process counts alone. Reads are the most frequent and the cheapest calls; asking Redis about every tenth of them
/// would cost more than what a few servers let through too many.
public struct ReadLimit: Sendable {
    private let users: RateLimiter<UserID>
    private let addresses: RateLimiter<String>
    private let trustedProxies: [AddressRange]

    /// - Parameters:
    ///   - rate: the limit of each user and each address.
    ///   - trustedProxies: see ``ClientAddress``.
    public init(rate: Rate, trustedProxies: [AddressRange]) {
        users = RateLimiter(.reads, rate: rate)
        addresses = RateLimiter(.reads, rate: rate)
        self.trustedProxies = trustedProxies
    }

    /// Counts a request for the caller whom the route has authenticated.
    /// - Throws: `rate_limited` (429).
    func check(_ request: Request, _ context: ChatRequestContext) async throws(ChatError) {
        try await check(request, context, reader: context.user?.userID)
    }

    /// Counts a request of a route that finds out by itself who reads.
    /// - Parameter reader: `nil` if only the address is known. The installation has no limit.
    /// - Throws: `rate_limited` (429).
    public func check(
        _ request: Request, _ context: ChatRequestContext, reader: UserID?
    ) async throws(ChatError) {
        if let reader {
            guard !reader.isInstallation else { return }
            try await users.check(reader)
        } else {
            try await addresses.check(
                context.countedAddress(headers: request.headers, trustedProxies: trustedProxies))
        }
    }
}
