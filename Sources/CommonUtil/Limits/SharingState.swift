/// Whether the place that limits are shared through is asked: not for a while after it failed. Pure: the time is handed
/// in.
public struct SharingState: Sendable {
    public typealias Instant = ContinuousClock.Instant

    private enum State {
        case shared
        case away(until: Instant)
    }

    private var state = State.shared
    private var backoff: Backoff

    public init(backoff: Backoff = Backoff(first: .milliseconds(500), longest: .seconds(5))) {
        self.backoff = backoff
    }

    public var isShared: Bool { if case .shared = state { true } else { false } }

    /// Whether it is time to try again; it is for one caller at a time.
    public mutating func mayTryAgain(at now: Instant) -> Bool {
        guard case .away(let until) = state, until <= now else { return false }
        state = .away(until: now + backoff.next())
        return true
    }

    /// - Returns: whether that is news.
    public mutating func failed(at now: Instant) -> Bool {
        guard isShared else { return false }
        state = .away(until: now + backoff.next())
        return true
    }

    /// - Returns: whether that is news.
    public mutating func succeeded() -> Bool {
        guard !isShared else { return false }
        state = .shared
        backoff.reset()
        return true
    }
}
