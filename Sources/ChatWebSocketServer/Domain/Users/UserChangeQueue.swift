import ChatEvents

/// Puts the changes of one user's list of rooms in the order of the user's version, for one session. Pure: no I/O.
///
/// Published changes are hints. What is missing (a lost push, a removal, which is in the room's log and not published)
/// is found by comparing the user's memberships with what the session was sent.
struct UserChangeQueue {
    /// Bound on the changes that are kept.
    static let maximumWaiting = 256

    /// The next thing to do.
    enum Step: Equatable {
        /// Send this change.
        case send(UserChange)
        /// Read the memberships and send what differs; then call ``compared(at:)``.
        case compare
        case wait
    }

    /// The version up to which changes were sent; `nil` before ``start(at:)``.
    private(set) var version: Int64?
    private var waiting: [Int64: UserChange] = [:]
    private var mustCompare = false
    /// Whether a comparison was asked for since the present one began, which may have read the memberships before.
    private var mustCompareAgain = false

    /// Starts with the version of the list that the session was sent.
    mutating func start(at version: Int64) { advance(to: version) }

    /// Takes a change that was published.
    mutating func receive(_ change: UserChange) {
        if let version, change.version <= version { return }
        guard waiting.count < Self.maximumWaiting else {
            waiting.removeAll()
            return requireComparison()
        }
        waiting[change.version] = change
    }

    /// Takes the user's version as it was read. One that differs from what was sent, also a lower one, means a comparison.
    mutating func noteVersion(_ present: Int64) {
        if let version, present != version { requireComparison() }
    }

    /// Has the memberships compared, whatever the version is.
    mutating func requireComparison() {
        mustCompare = true
        mustCompareAgain = true
    }

    /// Decides what to do next.
    mutating func next() -> Step {
        guard let version else { return .wait }
        if mustCompare { return compare() }
        if let change = waiting.removeValue(forKey: version + 1) {
            self.version = version + 1
            return .send(change)
        }
        // A version between was not published, or its push is lost.
        return waiting.isEmpty ? .wait : compare()
    }

    /// The comparison covers what has arrived by now. Changes of a log that was set back would otherwise wait for ever for
    /// versions before them, and each comparison be followed by another one.
    private mutating func compare() -> Step {
        mustCompare = true
        mustCompareAgain = false
        waiting.removeAll()
        return .compare
    }

    /// Notes that all changes up to a version were sent.
    mutating func compared(at version: Int64) {
        mustCompare = mustCompareAgain
        mustCompareAgain = false
        advance(to: version)
    }

    private mutating func advance(to version: Int64) {
        self.version = version
        waiting = waiting.filter { $0.key > version }
    }
}
