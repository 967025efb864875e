import CommonUtil
import Metrics
import Synchronization

/// A limit on how often each user, address or name may do something, counted by all instances together where they share
/// it, else by this process alone.
public final class RateLimiter<Key: Hashable & Sendable & CustomStringConvertible>: Sendable {
    /// Told how long to wait, where there is no room.
    private typealias Waiter = @Sendable (Duration?) -> Void
    private typealias Buckets = SharedBuckets<Key, Waiter>

    private let name: RateLimitName
    private let rate: Rate
    private let shared: SharedLimits?
    private let buckets: Mutex<Buckets>
    private let refused: Counter

    /// - Parameter name: the label of `chat_rate_limited_total`.
    public init(_ name: RateLimitName, rate: Rate, shared: SharedLimits? = nil) {
        self.name = name
        self.rate = rate
        self.shared = shared
        buckets = Mutex(Buckets(rate: rate))
        refused = name.refusals
    }

    /// To be asked as early as possible: before there is work that a refusal would waste. Nearly always it answers at
    /// once, see ``SharedBuckets``.
    /// - Parameter proceed: called once, with `rate_limited` (429) and the time after which there is room for one more
    ///   where there is none now.
    public func check(_ key: Key, then proceed: @escaping @Sendable (ChatError?) -> Void) {
        guard !rate.isUnlimited else { return proceed(nil) }
        decide(key) { [refused] wait in
            guard let wait else { return proceed(nil) }
            refused.increment()
            proceed(ChatError(.rateLimited, retryAfterSeconds: Self.wholeSeconds(wait)))
        }
    }

    /// As ``check(_:then:)``.
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
                Task { _ = await shared.ask(Buckets.Ask(key: key, spent: 1, wanted: 0), limit: name, rate: rate) }
            }
            waiter(nil)
        case .refused(let wait): waiter(wait)
        case .undecided:
            let ask = buckets.withLock { $0.wait(waiter, for: key, at: .now) }
            if let ask { Task { await settle(ask) } }
        }
    }

    /// Asks until nobody waits for this key any more.
    private func settle(_ first: Buckets.Ask) async {
        var ask: Buckets.Ask? = first
        while let asked = ask {
            let answer = await shared?.ask(asked, limit: name, rate: rate)
            let told: [Buckets.Decision]
            (told, ask) = buckets.withLock { buckets in
                guard let answer else { return (buckets.failed(asked.key, at: .now), nil) }
                return buckets.answered(asked.key, answer, at: .now)
            }
            for decision in told { decision.waiter(decision.refusal) }
        }
    }

    /// Rounded up: who comes back after as many is let in.
    static func wholeSeconds(_ wait: Duration) -> Int {
        let (seconds, attoseconds) = wait.components
        return max(1, Int(seconds) + (attoseconds > 0 ? 1 : 0))
    }
}

/// The limits, as metrics name them.
public enum RateLimitName: String, Sendable {
    case posts, frames, registrations, refreshes, changes, reads
    case readMarks = "read_marks"
    case loginsPerAccount = "logins_per_account"
    case loginsPerAddress = "logins_per_address"
    case loginsFromStrangers = "logins_from_strangers"
    case sockets
    case socketsPerUser = "sockets_per_user"
    case socketsPerAddress = "sockets_per_address"
    case connectionsPerAddress = "connections_per_address"

    /// Counts who was refused by it.
    public var refusals: Counter { refusals(in: MetricsSystem.factory) }

    func refusals(in factory: any MetricsFactory) -> Counter {
        Counter(label: "chat_rate_limited_total", dimensions: [("limit", rawValue)], factory: factory)
    }
}
