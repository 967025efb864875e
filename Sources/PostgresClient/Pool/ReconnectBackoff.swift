/// Waits between attempts to reconnect: doubling, bounded, and jittered so that processes do not come back in step.
struct ReconnectBackoff: Sendable, Hashable {
    let range: ClosedRange<Duration>

    /// The wait after this many failures in a row: between half of the doubled wait and all of it.
    func delay(afterFailures failures: Int) -> Duration {
        var delay = range.lowerBound
        for _ in 1..<max(2, min(failures, 32)) where failures > 1 && delay < range.upperBound { delay = delay * 2 }
        return min(delay, range.upperBound) * Double.random(in: 0.5...1)
    }
}
