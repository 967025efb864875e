import Synchronization

/// How far back a question for what is new has to reach: to the last one that was answered, or to the beginning.
final class ReadWindow: Sendable {
    /// Longer than any revocation is in force.
    static let everything = Duration.seconds(2 * 86_400)

    /// When the last question that was answered was asked.
    private let last = Mutex(ContinuousClock.Instant?.none)

    var hasBegun: Bool { last.withLock { $0 != nil } }

    func length(at now: ContinuousClock.Instant) -> Duration {
        last.withLock { last in last.map { min(now - $0, Self.everything) } ?? Self.everything }
    }

    func succeeded(begunAt instant: ContinuousClock.Instant) {
        last.withLock { $0 = max($0 ?? instant, instant) }
    }
}
