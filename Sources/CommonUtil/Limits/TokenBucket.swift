/// A bucket that holds a burst of tokens and is refilled at a steady rate. Each request takes one; where there is none
/// it is one too many. Pure: the time is handed in.
///
/// All it keeps is when it will be full again (the "generic cell rate algorithm"): a bucket that is full holds nothing
/// worth keeping.
public struct TokenBucket: Sendable {
    public typealias Instant = ContinuousClock.Instant

    private(set) var fullAt: Instant

    /// A full bucket.
    public init(at now: Instant) { fullAt = now }

    /// Takes a token.
    /// - Returns: `nil` where there was one; else for how long there is none, and the bucket is as it was.
    public mutating func take(_ rate: Rate, at now: Instant) -> Duration? {
        if let wait = wait(rate, at: now) { return wait }
        fullAt = max(fullAt, now) + rate.interval
        return nil
    }

    /// For how long there is no token; `nil` where there is one.
    func wait(_ rate: Rate, at now: Instant) -> Duration? {
        let interval = rate.interval
        let excess = now.duration(to: max(fullAt, now) + interval) - interval * rate.burst
        return excess <= .zero || rate.isUnlimited ? nil : excess
    }

    /// Takes tokens that somebody else is known to have taken.
    mutating func empty(until instant: Instant) { fullAt = max(fullAt, instant) }

    public func isFull(at now: Instant) -> Bool { fullAt <= now }
}
