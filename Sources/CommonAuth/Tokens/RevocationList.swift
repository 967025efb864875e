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

/// The revocations in force. Pure: the time is handed in.
struct Revocations {
    private struct Unnamed {
        var issuedUpTo: Timestamp
        var expiresAt: Timestamp
    }

    private var signIns: [SignInID: Timestamp] = [:]
    private var unnamed: [UserID: Unnamed] = [:]

    var count: Int { signIns.count + unnamed.count }

    /// - Returns: whether this one was not in force yet. The same revocation comes several times: pushed, and then again
    ///   with each read of the database that reaches back to it.
    mutating func insert(_ revocation: Revocation, now: Timestamp) -> Bool {
        guard now < revocation.expiresAt else { return false }
        switch revocation.scope {
        case .signIn(let signInID):
            let known = signIns[signInID]
            signIns[signInID] = max(known ?? revocation.expiresAt, revocation.expiresAt)
            return known == nil
        case .unnamed(let issuedUpTo):
            let known = unnamed[revocation.userID]
            guard issuedUpTo > known?.issuedUpTo ?? Timestamp(microseconds: .min) else { return false }
            unnamed[revocation.userID] = Unnamed(issuedUpTo: issuedUpTo, expiresAt: revocation.expiresAt)
            return true
        }
    }

    /// Whether the caller's token is revoked. One without `sid` and `iat` is, if any is: it may have been issued at any
    /// time. A caller without a token has none that could be.
    func include(_ user: AuthenticatedUser) -> Bool {
        guard user.tokenExpiresAt != nil else { return false }
        if let signInID = user.signInID { return signIns[signInID] != nil }
        guard let revocation = unnamed[user.userID] else { return false }
        guard let issuedAt = user.tokenIssuedAt else { return true }
        return issuedAt <= revocation.issuedUpTo
    }

    /// Forgets those whose last token has ended.
    mutating func removeExpired(now: Timestamp) {
        signIns = signIns.filter { now < $0.value }
        unnamed = unnamed.filter { now < $0.value.expiresAt }
    }
}
