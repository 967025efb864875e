/// The wait for a lock that is polled. Pure: no I/O.
///
/// Only the time in which this process itself was running counts. One that was suspended, or slept with its machine,
/// while it waited must neither give up when it continues, nor take the lock from a holder that slept as long.
struct LockWait<Holder: Equatable> {
    enum Step: Equatable {
        case wait
        /// The holder is suspended.
        case takeOver(Holder)
        case giveUp
    }

    /// The most that counts from one poll to the next, in milliseconds. A process that has to wait for a processor is
    /// not suspended.
    private static var longestPause: Int64 { 500 }

    private let milliseconds: Int64
    private let suspensionTimeout: Int64
    private var polledAt: Int64
    private var waited: Int64 = 0
    private var holder: Holder?
    /// How long the holder has been the same.
    private var held: Int64 = 0

    /// - Parameters:
    ///   - milliseconds: maximum time to wait for other holders.
    ///   - suspensionTimeout: time after which one holder counts as suspended, in milliseconds.
    init(now: Int64, milliseconds: Int64, suspensionTimeout: Int64) {
        polledAt = now
        self.milliseconds = milliseconds
        self.suspensionTimeout = suspensionTimeout
    }

    /// The lock is held by another process.
    /// - Parameter holder: identifies one use of the lock; `nil` if it is not known.
    mutating func next(now: Int64, holder: Holder?) -> Step {
        let passed = min(now - polledAt, Self.longestPause)
        polledAt = now
        waited += passed
        held = holder == self.holder ? held + passed : 0
        self.holder = holder
        if let holder, held >= suspensionTimeout {
            held = 0
            return .takeOver(holder)
        }
        return waited < milliseconds ? .wait : .giveUp
    }
}
