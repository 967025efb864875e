import CommonUtil
import Synchronization

/// The revocations in force, as a process knows them. Asked for every call and every socket, so it is in memory: a caller
/// costs one load as long as nothing is revoked, else a lock and a look-up.
public final class RevocationList: Sendable {
    /// Between two removals of what has expired.
    private static let pruneInterval = Duration.seconds(60)

    private struct State {
        var revocations = Revocations()
        var nextPrune = ContinuousClock.now + RevocationList.pruneInterval
    }

    private let state = Mutex(State())
    /// How many there are, without the lock.
    private let size = Atomic(0)
    private let now: @Sendable () -> Timestamp

    public convenience init() { self.init(now: { .now }) }

    init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    public var count: Int { size.load(ordering: .relaxed) }

    /// Puts revocations into force: when this returns, no token that they are about is taken any more.
    /// - Returns: those that were not in force yet.
    public func insert(_ revocations: [Revocation]) -> [Revocation] {
        let now = now()
        return state.withLock { state in
            let news = revocations.filter { state.revocations.insert($0, now: now) }
            if state.nextPrune <= .now {
                state.nextPrune = .now + Self.pruneInterval
                state.revocations.removeExpired(now: now)
            }
            size.store(state.revocations.count, ordering: .releasing)
            return news
        }
    }

    /// Whether the token by which this caller is known was revoked.
    public func includes(_ user: AuthenticatedUser) -> Bool {
        guard size.load(ordering: .acquiring) > 0 else { return false }
        return state.withLock { $0.revocations.include(user) }
    }
}
