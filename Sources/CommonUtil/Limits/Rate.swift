/// A rate per second or minute, with a burst of five times the rate.
public struct Rate: Equatable, Sendable {
    /// The unit of a rate.
    public enum Period: String, Sendable {
        case second = "s"
        case minute = "m"

        var duration: Duration { self == .second ? .seconds(1) : .seconds(60) }
    }

    /// The burst in multiples of the rate: `10/m` allows 50 at once, `100/s` 500.
    static let burstFactor = 5
    private static let maximumCount = 1_000_000

    /// The number of tokens per period; 0 for no limit.
    public let count: Int
    /// The unit of the rate.
    public let period: Period

    public init(_ count: Int, per period: Period) {
        self.count = count
        self.period = period
    }

    /// Reads `N/s`, `N/m` or `0`.
    /// - Returns: `nil` for any other text.
    public init?(text: String) {
        if text == "0" {
            self.init(0, per: .second)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = Int(parts[0]), (0...Self.maximumCount).contains(count),
            let period = Period(rawValue: String(parts[1]))
        else { return nil }
        self.init(count, per: period)
    }

    /// Returns the rate with count and burst multiplied.
    public func multiplied(by factor: Int) -> Rate { Rate(count * factor, per: period) }

    /// Whether there is no limit.
    public var isUnlimited: Bool { count == 0 }
    /// The maximum number of tokens in a bucket.
    public var burst: Int { count * Self.burstFactor }
    /// The time in which one token is added.
    public var interval: Duration { isUnlimited ? .zero : period.duration / count }
    /// The number of tokens that a process takes before it reports them to the shared bucket: those of a tenth of a second,
    /// at least one.
    public var share: Int { max(1, period == .second ? count / 10 : count / 600) }
}

/// A token bucket: it holds a burst of tokens and is refilled at a constant rate. Reads no clock.
///
/// Its only state is the time at which it will be full again (generic cell rate algorithm), so a full bucket has none.
public struct TokenBucket: Sendable {
    /// The clock of the bucket.
    public typealias Instant = ContinuousClock.Instant

    private(set) var fullAt: Instant

    /// Creates a full bucket.
    public init(at now: Instant) { fullAt = now }

    /// Takes a token.
    /// - Returns: `nil` if there was one; otherwise the time until there is one, and the bucket is unchanged.
    public mutating func take(_ rate: Rate, at now: Instant) -> Duration? {
        if let wait = wait(rate, at: now) { return wait }
        fullAt = max(fullAt, now) + rate.interval
        return nil
    }

    /// Returns the time until there is a token; `nil` if there is one.
    func wait(_ rate: Rate, at now: Instant) -> Duration? {
        let interval = rate.interval
        let excess = now.duration(to: max(fullAt, now) + interval) - interval * rate.burst
        return excess <= .zero || rate.isUnlimited ? nil : excess
    }

    /// Removes tokens that other instances have taken.
    mutating func empty(until instant: Instant) { fullAt = max(fullAt, instant) }

    /// Whether the bucket is full.
    public func isFull(at now: Instant) -> Bool { fullAt <= now }
}

/// Passes one event per interval and counts the others, for example warnings that are due thousands of times a second.
/// Reads no clock.
public struct Throttle: Sendable {
    private let interval: Duration
    private var next: ContinuousClock.Instant?
    private var held = 0

    /// - Parameter interval: the shortest time between two events that pass.
    public init(interval: Duration) { self.interval = interval }

    /// Decides on events.
    /// - Parameter count: the number of events.
    /// - Returns: the number of events since the last one passed, including these; `nil` if these do not pass.
    public mutating func pass(_ count: Int = 1, now: ContinuousClock.Instant) -> Int? {
        held += count
        if let next, now < next { return nil }
        next = now + interval
        defer { held = 0 }
        return held
    }
}
