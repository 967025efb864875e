/// Lets through one of many in an interval, with the number of those since the last: for warnings that may come a
/// thousand times a second. Reads no clock.
public struct Throttle: Sendable {
    private let interval: Duration
    private var next: ContinuousClock.Instant?
    private var held = 0

    public init(interval: Duration) { self.interval = interval }

    /// - Parameter count: how many come at once.
    /// - Returns: how many came since one was let through, these included; nil where they are held back.
    public mutating func pass(_ count: Int = 1, now: ContinuousClock.Instant) -> Int? {
        held += count
        if let next, now < next { return nil }
        next = now + interval
        defer { held = 0 }
        return held
    }
}
