/// A token bucket for each user, address or name, in bounded memory, which several processes share through a place that
/// all of them can ask. Pure: the time and the answers are handed in.
///
/// Each process has its own view of every bucket and decides by it. What it lets through it owes to the shared bucket,
/// and says so no later than with the ``Rate/share``-th token: that caller waits for the answer, which also tells what
/// the others took. So few callers wait, none is asked about twice at a time, one process alone is as exact as without
/// the others, and together they let through less than a share each too many. While the shared place is away the own
/// view decides.
public struct SharedBuckets<Key: Hashable & Sendable, Waiter: Sendable>: Sendable {
    public typealias Instant = TokenBucket.Instant

    public enum Verdict: Equatable, Sendable {
        case granted
        /// For so long there is no token.
        case refused(Duration)
        /// The shared bucket decides: ``wait(_:for:at:)``.
        case undecided
    }

    /// What the shared bucket of `key` is asked.
    public struct Ask: Equatable, Sendable {
        public let key: Key
        /// Tokens that are taken already.
        public let spent: Int
        /// Tokens that callers wait for.
        public let wanted: Int

        public init(key: Key, spent: Int, wanted: Int) {
            self.key = key
            self.spent = spent
            self.wanted = wanted
        }
    }

    /// Who waited, and what became of it: `nil` for a token, else for how long there is none.
    public typealias Decision = (waiter: Waiter, refusal: Duration?)

    private struct Entry {
        var bucket: TokenBucket
        var unreported = 0
        var isAsking = false
        /// In order; the first of them are asked for.
        var waiters: [Waiter] = []
        var asked = 0
    }

    private static var firstSweep: Int { 1_024 }
    /// After this long as a full bucket what was not reported is of no account any more.
    private static var forgetAfter: Duration { .seconds(1) }

    private let rate: Rate
    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var sweepCount: Int

    /// - Parameter capacity: buckets that are kept at most, beside those that are being asked about.
    public init(rate: Rate, capacity: Int = 65_536) {
        self.rate = rate
        self.capacity = capacity
        sweepCount = min(capacity, Self.firstSweep)
    }

    public var count: Int { entries.count }

    // MARK: Callers

    /// Takes a token.
    /// - Parameter isShared: whether the shared place can be asked; without it the verdict is never `undecided`.
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

    /// Leaves a caller waiting whose verdict was ``Verdict/undecided``.
    /// - Returns: what to ask now; `nil` where an answer is on its way, after which the rest is asked.
    public mutating func wait(_ waiter: Waiter, for key: Key, at now: Instant) -> Ask? {
        var entry = entries[key] ?? Entry(bucket: TokenBucket(at: now))
        defer { entries[key] = entry }
        entry.waiters.append(waiter)
        return entry.isAsking ? nil : Self.ask(key, &entry)
    }

    private static func ask(_ key: Key, _ entry: inout Entry) -> Ask {
        defer {
            entry.isAsking = true
            entry.asked = entry.waiters.count
            entry.unreported = 0
        }
        return Ask(key: key, spent: entry.unreported, wanted: entry.waiters.count)
    }

    // MARK: Answers

    /// - Returns: who is told now, and what to ask next for those who came meanwhile.
    public mutating func answered(_ key: Key, _ answer: SharedBucketReply, at now: Instant) -> (
        told: [Decision], next: Ask?
    ) {
        guard var entry = entries[key] else { return ([], nil) }
        // What was taken here meanwhile comes on top.
        entry.bucket.empty(until: now + answer.fullIn + rate.interval * entry.unreported)
        entry.isAsking = false
        let refusal = entry.bucket.wait(rate, at: now)
        var told: [Decision] = entry.waiters.prefix(entry.asked).enumerated()
            .map { ($1, $0 < answer.granted ? nil : refusal ?? rate.interval) }
        entry.waiters.removeFirst(entry.asked)
        entry.asked = 0
        var next: Ask?
        if let refusal {
            told += entry.waiters.map { ($0, refusal) }
            entry.waiters = []
        } else if !entry.waiters.isEmpty {
            next = Self.ask(key, &entry)
        }
        entries[key] = entry
        return (told, next)
    }

    /// The shared place did not answer: this process decides alone.
    public mutating func failed(_ key: Key, at now: Instant) -> [Decision] {
        guard var entry = entries[key] else { return [] }
        let told: [Decision] = entry.waiters.map { ($0, entry.bucket.take(rate, at: now)) }
        entry.waiters = []
        entry.asked = 0
        entry.unreported = 0
        entry.isAsking = false
        entries[key] = entry
        return told
    }

    // MARK: Memory

    /// Drops full buckets, which are as good as none. Where that is not enough, because more are in use than may be
    /// kept, the fuller half of the others go: forgetting those gives least away.
    private mutating func sweep(at now: Instant) {
        entries = entries.filter { $0.value.isAsking || !$0.value.bucket.isFull(at: now) }
        if entries.count > capacity / 2 {
            let median = entries.values.map(\.bucket.fullAt).sorted()[entries.count / 2]
            entries = entries.filter { $0.value.isAsking || $0.value.bucket.fullAt > median }
        }
        // Twice what is left, so that a sweep's cost is shared by as many new keys as it looked at.
        sweepCount = min(capacity, max(Self.firstSweep, entries.count * 2))
    }
}

/// What a shared bucket answers.
public struct SharedBucketReply: Equatable, Sendable {
    /// How many of the wanted tokens it gave.
    public let granted: Int
    /// How long it takes until it is full again.
    public let fullIn: Duration

    public init(granted: Int, fullIn: Duration) {
        self.granted = granted
        self.fullIn = fullIn
    }
}
