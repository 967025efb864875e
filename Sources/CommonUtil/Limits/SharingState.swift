/// Whether limits are shared through the store: not for a while after a failure (circuit breaker). Reads no clock.
public struct SharingState: Sendable {
    /// The clock of the state.
    public typealias Instant = ContinuousClock.Instant

    private enum State {
        case shared
        case away(until: Instant)
    }

    private var state = State.shared
    private var backoff: Backoff

    /// - Parameter backoff: the times between attempts while the store is away.
    public init(backoff: Backoff = Backoff(first: .milliseconds(500), longest: .seconds(5))) {
        self.backoff = backoff
    }

    /// Whether the store is used.
    public var isShared: Bool { if case .shared = state { true } else { false } }

    /// Whether the caller should try the store again; true for one caller at a time.
    public mutating func mayTryAgain(at now: Instant) -> Bool {
        guard case .away(let until) = state, until <= now else { return false }
        state = .away(until: now + backoff.next())
        return true
    }

    /// Records a failure.
    /// - Returns: whether the state has changed.
    public mutating func failed(at now: Instant) -> Bool {
        guard isShared else { return false }
        state = .away(until: now + backoff.next())
        return true
    }

    /// Records a success.
    /// - Returns: whether the state has changed.
    public mutating func succeeded() -> Bool {
        guard !isShared else { return false }
        state = .shared
        backoff.reset()
        return true
    }
}
