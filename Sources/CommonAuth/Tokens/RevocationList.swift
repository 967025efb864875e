import CommonUtil
import Synchronization

/// The revocations in force, in the memory of a process, since they are checked for every request and every socket. A
/// check costs one load while nothing is revoked, otherwise a lock and a lookup.
public final class RevocationList: Sendable {
    /// The time between two removals of expired revocations.
    private static let pruneInterval = Duration.seconds(60)

    private struct State {
        var revocations = Revocations()
        var nextPrune = ContinuousClock.now + RevocationList.pruneInterval
    }

    private let state = Mutex(State())
    /// The number of revocations, readable without the lock.
    private let size = Atomic(0)
    private let now: @Sendable () -> Timestamp

    /// Creates an empty list.
    public convenience init() { self.init(now: { .now }) }

    init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    /// The number of revocations in force.
    public var count: Int { size.load(ordering: .relaxed) }

    /// Adds revocations. Once this returns, the revoked tokens are refused.
    /// - Returns: the revocations that were not in force before.
    public func insert(_ revocations: [Revocation]) -> [Revocation] {
        let now = now()
        return state.withLock { state in
            let added = revocations.filter { state.revocations.insert($0, now: now) }
            if state.nextPrune <= .now {
                state.nextPrune = .now + Self.pruneInterval
                state.revocations.removeExpired(now: now)
            }
            size.store(state.revocations.count, ordering: .releasing)
            return added
        }
    }

    /// Whether the caller's token was revoked.
    public func includes(_ user: AuthenticatedUser) -> Bool {
        guard size.load(ordering: .acquiring) > 0 else { return false }
        return state.withLock { $0.revocations.include(user) }
    }
}

/// The revocations in force. Reads no clock.
struct Revocations {
    private struct Unnamed {
        var issuedUpTo: Timestamp
        var expiresAt: Timestamp
    }

    private var signIns: [SignInID: Timestamp] = [:]
    private var unnamed: [UserID: Unnamed] = [:]

    var count: Int { signIns.count + unnamed.count }

    /// Adds a revocation.
    /// - Returns: whether it was not in force before. A revocation is received several times: from Redis, and again
    ///   with each read of the database that covers its time.
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

    /// Whether the caller's token is revoked. A token without `sid` and `iat` is revoked by any revocation of the user, since
    /// it can have been issued at any time. A caller without a token is never revoked.
    func include(_ user: AuthenticatedUser) -> Bool {
        guard user.tokenExpiresAt != nil else { return false }
        if let signInID = user.signInID { return signIns[signInID] != nil }
        guard let revocation = unnamed[user.userID] else { return false }
        guard let issuedAt = user.tokenIssuedAt else { return true }
        return issuedAt <= revocation.issuedUpTo
    }

    /// Removes the revocations whose last token has expired.
    mutating func removeExpired(now: Timestamp) {
        signIns = signIns.filter { now < $0.value }
        unnamed = unnamed.filter { now < $0.value.expiresAt }
    }
}
