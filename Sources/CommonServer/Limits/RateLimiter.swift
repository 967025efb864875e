import CommonUtil
import Metrics
import Synchronization

/// A limit on how often each user, address or name may do something, counted by this process alone.
public final class RateLimiter<Key: Hashable & Sendable>: Sendable {
    private let buckets: Mutex<TokenBuckets<Key>>
    private let refused: Counter

    /// - Parameter name: the label of `chat_rate_limited_total`.
    public init(_ name: RateLimitName, rate: Rate) {
        buckets = Mutex(TokenBuckets(rate: rate))
        refused = name.refusals
    }

    /// To be asked as early as possible: before there is work that a refusal would waste.
    /// - Throws: `rate_limited` (429), with the time after which there is room for one more.
    public func check(_ key: Key) throws(ChatError) {
        guard let wait = buckets.withLock({ $0.take(key, at: .now) }) else { return }
        refused.increment()
        throw ChatError(.rateLimited, retryAfterSeconds: Self.wholeSeconds(wait))
    }

    /// Rounded up: who comes back after as many is let in.
    static func wholeSeconds(_ wait: Duration) -> Int {
        let (seconds, attoseconds) = wait.components
        return max(1, Int(seconds) + (attoseconds > 0 ? 1 : 0))
    }
}

/// The limits, as metrics name them.
public enum RateLimitName: String, Sendable {
    case posts, frames, registrations
    case loginsPerAccount = "logins_per_account"
    case loginsPerAddress = "logins_per_address"
    case sockets
    case socketsPerUser = "sockets_per_user"
    case socketsPerAddress = "sockets_per_address"

    /// Counts who was refused by it.
    public var refusals: Counter { Counter(label: "chat_rate_limited_total", dimensions: [("limit", rawValue)]) }
}
