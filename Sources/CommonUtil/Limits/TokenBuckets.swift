/// A token bucket for each user, address or name, in bounded memory. Pure: the time is handed in.
public struct TokenBuckets<Key: Hashable & Sendable>: Sendable {
    public typealias Instant = TokenBucket.Instant

    private static var firstSweep: Int { 1_024 }

    private let rate: Rate
    private let capacity: Int
    private var buckets: [Key: TokenBucket] = [:]
    private var sweepCount: Int

    /// - Parameter capacity: buckets that are kept at most.
    public init(rate: Rate, capacity: Int = 65_536) {
        self.rate = rate
        self.capacity = capacity
        sweepCount = min(capacity, Self.firstSweep)
    }

    public var count: Int { buckets.count }

    /// Takes a token.
    /// - Returns: `nil` where there was one; else for how long there is none.
    public mutating func take(_ key: Key, at now: Instant) -> Duration? {
        guard !rate.isUnlimited else { return nil }
        if buckets.count >= sweepCount, buckets[key] == nil { sweep(at: now) }
        return buckets[key, default: TokenBucket(at: now)].take(rate, at: now)
    }

    /// Drops full buckets, which are as good as none. Where that is not enough, because more are in use than may be
    /// kept, the fuller half of the others go: forgetting those gives least away.
    private mutating func sweep(at now: Instant) {
        buckets = buckets.filter { !$0.value.isFull(at: now) }
        if buckets.count > capacity / 2 {
            let median = buckets.values.map(\.fullAt).sorted()[buckets.count / 2]
            buckets = buckets.filter { $0.value.fullAt > median }
        }
        // Twice what is left, so that a sweep's cost is shared by as many new keys as it looked at.
        sweepCount = min(capacity, max(Self.firstSweep, buckets.count * 2))
    }
}
