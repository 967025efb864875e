/// Waiting times between retries: doubling, bounded, and with full jitter, so that many clients of a server that
/// comes back do not all return at once.
public struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var attempt = 0

    public init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The next wait: between half and all of `first * 2^attempts`, at most `longest`.
    public mutating func next() -> Duration {
        let ceiling = min(longest, first * (1 << min(attempt, 20)))
        attempt += 1
        return ceiling * Double.random(in: 0.5...1)
    }

    /// To be called after a success that lasted.
    public mutating func reset() { attempt = 0 }
}
