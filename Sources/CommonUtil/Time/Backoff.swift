/// Waiting times between attempts: doubling, bounded, and jittered, so that many clients of a server that comes back do
/// not all return at once.
public struct Backoff: Sendable, Hashable {
    private let first: Duration
    private let longest: Duration
    private var failures = 0

    /// - Parameters:
    ///   - first: the longest wait after the first failure.
    ///   - longest: the longest wait after any failure.
    public init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// Counts a failure.
    /// - Returns: the wait after it, see ``delay(afterFailures:)``.
    public mutating func next() -> Duration {
        failures += 1
        return delay(afterFailures: failures)
    }

    /// The wait after this many failures in a row: between half and all of `first * 2^(failures - 1)`, at most `longest`.
    public func delay(afterFailures failures: Int) -> Duration {
        min(longest, first * (1 << min(max(failures - 1, 0), 20))) * Double.random(in: 0.5...1)
    }

    /// Starts over, after a success that lasted.
    public mutating func reset() { failures = 0 }

    /// Starts over if a connection lasted longer than the longest wait: one that breaks at once is no success.
    public mutating func connectionEnded(after lifetime: Duration) {
        if lifetime > longest { reset() }
    }
}
