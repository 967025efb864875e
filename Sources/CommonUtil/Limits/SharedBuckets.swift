/// Token buckets per user, address or name, in bounded memory, which several processes share through a store (Redis). Does
/// no I/O and reads no clock.
///
/// Each process has a local bucket for every key and decides by it. The tokens that it takes are reported to the shared
/// bucket with the ``Rate/share``-th token at the latest: that caller waits for the reply, which includes the tokens that
/// other processes took. So few callers wait, there is one request per key at a time, one process alone is exact, and
/// together the processes exceed the rate by less than a share each. While the store is away the local bucket decides.
public struct SharedBuckets<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
    /// The clock of the buckets.
    public typealias Instant = TokenBucket.Instant

    /// The result of ``take(_:isShared:at:)``.
    public enum Verdict: Equatable, Sendable {
        /// There was a token.
        case granted
        /// There is no token for this time.
        case refused(Duration)
        /// The shared bucket decides, see ``wait(_:for:at:)``.
        case undecided
    }

    /// A request to the shared bucket of a key.
    public struct Request: Equatable, Sendable {
        /// The key.
        public let key: Key
        /// The number of tokens that were taken locally since the last request.
        public let spent: Int
        /// The number of tokens that callers wait for.
        public let wanted: Int

        /// Creates a request.
        public init(key: Key, spent: Int, wanted: Int) {
            self.key = key
            self.spent = spent
            self.wanted = wanted
        }
    }

    /// The result for a waiting caller: `nil` for a token, otherwise the time until there is one.
    public typealias Decision = (waiter: Waiter, refusal: Duration?)

    private struct Entry {
        var bucket: TokenBucket
        var unreported = 0
        var isRequesting = false
        /// In order. The request in progress is for the first ``requested`` of them.
        var waiters: [Waiter] = []
        var requested = 0
    }

    private static var firstSweep: Int { 1_024 }
    /// Time as a full bucket after which unreported tokens do not matter any more.
    private static var forgetAfter: Duration { .seconds(1) }

    private let rate: Rate
    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var sweepCount: Int

    /// - Parameters:
    ///   - rate: the limit of each key.
    ///   - capacity: the maximum number of buckets, without those with a request in progress.
    public init(rate: Rate, capacity: Int = 65_536) {
        self.rate = rate
        self.capacity = capacity
        sweepCount = min(capacity, Self.firstSweep)
    }

    /// The number of buckets.
    public var count: Int { entries.count }

    // MARK: Callers

    /// Takes a token.
    /// - Parameter isShared: whether the store is available; without it the verdict is never `undecided`.
    public mutating func take(_ key: Key, isShared: Bool, at now: Instant) -> Verdict {
        guard !rate.isUnlimited else { return .granted }
        if entries.count >= sweepCount, entries[key] == nil { sweep(at: now) }
        return Self.take(&entries[key, default: Entry(bucket: TokenBucket(at: now))], rate, isShared, now)
    }

    private static func take(_ entry: inout Entry, _ rate: Rate, _ isShared: Bool, _ now: Instant) -> Verdict {
        if let wait = entry.bucket.wait(rate, at: now) { return .refused(wait) }
        if !isShared || entry.bucket.isFull(at: now - forgetAfter) { entry.unreported = 0 }
        if isShared {
            guard entry.unreported + 1 < rate.share else { return .undecided }
            entry.unreported += 1
        }
        _ = entry.bucket.take(rate, at: now)
        return .granted
    }

    /// Adds a caller whose verdict was ``Verdict/undecided``.
    /// - Returns: the request to send now; `nil` if one is in progress, after whose reply there will be another.
    public mutating func wait(_ waiter: Waiter, for key: Key, at now: Instant) -> Request? {
        var entry = entries[key] ?? Entry(bucket: TokenBucket(at: now))
        defer { entries[key] = entry }
        entry.waiters.append(waiter)
        return entry.isRequesting ? nil : Self.request(key, &entry)
    }

    private static func request(_ key: Key, _ entry: inout Entry) -> Request {
        defer {
            entry.isRequesting = true
            entry.requested = entry.waiters.count
            entry.unreported = 0
        }
        return Request(key: key, spent: entry.unreported, wanted: entry.waiters.count)
    }

    // MARK: Replies

    /// Handles the reply to the request of a key.
    /// - Returns: the results for waiting callers, and the next request for those who were added meanwhile.
    public mutating func received(_ reply: SharedBucketReply, for key: Key, at now: Instant) -> (
        decisions: [Decision], next: Request?
    ) {
        guard var entry = entries[key] else { return ([], nil) }
        // Tokens that were taken locally meanwhile are not in the reply.
        entry.bucket.empty(until: now + reply.fullIn + rate.interval * entry.unreported)
        entry.isRequesting = false
        let refusal = entry.bucket.wait(rate, at: now)
        var decisions: [Decision] = entry.waiters.prefix(entry.requested).enumerated()
            .map { ($1, $0 < reply.granted ? nil : refusal ?? rate.interval) }
        entry.waiters.removeFirst(entry.requested)
        entry.requested = 0
        var next: Request?
        if let refusal {
            decisions += entry.waiters.map { ($0, refusal) }
            entry.waiters = []
        } else if !entry.waiters.isEmpty {
            next = Self.request(key, &entry)
        }
        entries[key] = entry
        return (decisions, next)
    }

    /// Handles a request without reply: the local bucket decides.
    /// - Returns: the results for all waiting callers.
    public mutating func failed(_ key: Key, at now: Instant) -> [Decision] {
        guard var entry = entries[key] else { return [] }
        let decisions: [Decision] = entry.waiters.map { ($0, entry.bucket.take(rate, at: now)) }
        entry.waiters = []
        entry.requested = 0
        entry.unreported = 0
        entry.isRequesting = false
        entries[key] = entry
        return decisions
    }

    // MARK: Memory

    /// Removes full buckets, which have no state. If more buckets are in use than the capacity allows, the fuller half of
    /// the others is removed too, since resetting those grants the fewest tokens.
    private mutating func sweep(at now: Instant) {
        entries = entries.filter { $0.value.isRequesting || !$0.value.bucket.isFull(at: now) }
        if entries.count > capacity / 2 {
            let median = entries.values.map(\.bucket.fullAt).sorted()[entries.count / 2]
            entries = entries.filter { $0.value.isRequesting || $0.value.bucket.fullAt > median }
        }
        // Twice the rest: the cost of a sweep is amortised over as many new keys as it visited.
        sweepCount = min(capacity, max(Self.firstSweep, entries.count * 2))
    }
}

/// The reply of a shared bucket.
public struct SharedBucketReply: Equatable, Sendable {
    /// The number of granted tokens.
    public let granted: Int
    /// The time until the bucket is full.
    public let fullIn: Duration

    /// Creates a reply.
    public init(granted: Int, fullIn: Duration) {
        self.granted = granted
        self.fullIn = fullIn
    }
}
