import CommonUtil

/// What a server does next for the order of the feed of changes: a state machine without I/O.
///
/// One server holds the lease and appends. Which rooms to look at it learns in two ways: by hints, which come at once and
/// may be lost, and by passes through all rooms, a part at a time, which find whatever was missed.
struct ChangeSequencerStateMachine {
    struct Timing {
        /// How long the lease lasts without being extended. With ``attemptInterval`` another server takes over within five
        /// seconds after the holder died.
        var lease = Duration.milliseconds(2_500)
        /// Time after which the holder extends the lease.
        var renewal = Duration.milliseconds(1_000)
        /// Time between two attempts of the others.
        var attemptInterval = Duration.milliseconds(1_000)
        /// The shortest and the longest pause between two steps. Between them a step takes a fifth of the time, so that a
        /// busy database has room for posts.
        var pause = Duration.milliseconds(50)...Duration.milliseconds(400)
        /// Time from the beginning of a pass to that of the next one, at least.
        var passInterval = Duration.milliseconds(2_000)
        /// The same while there are no hints.
        var passIntervalWithoutHints = Duration.milliseconds(200)
        /// Rooms that a step looks at in a pass.
        var partSize = 2_000
        /// Rooms that a step looks at because of hints.
        var hintsPerStep = 2_000
        /// Hints that are kept; beyond that a pass finds the rooms.
        var maximumHints = 50_000
    }

    enum Action: Equatable {
        /// Take the lease, or extend it.
        case acquire
        /// Look at rooms, and append what they have.
        case step(Step)
        case wait(until: ContinuousClock.Instant)
    }

    struct Step: Equatable {
        let hinted: [RoomID]
        /// The part of a pass; `nil` for none.
        let part: Part?
    }

    struct Part: Equatable {
        /// The last room of the part before; `nil` at the beginning of a pass.
        let after: RoomID?
    }

    private struct Pass {
        var after: RoomID?
        let began: ContinuousClock.Instant
    }

    private let timing: Timing
    private(set) var isHolder = false
    private var nextAttempt: ContinuousClock.Instant
    private var nextStep: ContinuousClock.Instant
    private var nextPass: ContinuousClock.Instant
    private var pass: Pass?
    /// Whether another pass follows the one under way at once.
    private var isPassRepeated = false
    private var hasHints = false
    private var hints: Set<RoomID> = []
    private var backoff = Backoff(first: .milliseconds(100), longest: .seconds(1))

    init(timing: Timing = Timing(), now: ContinuousClock.Instant) {
        self.timing = timing
        nextAttempt = now
        nextStep = now
        nextPass = now
    }

    /// The next thing to do.
    mutating func next(now: ContinuousClock.Instant) -> Action {
        if nextAttempt <= now { return .acquire }
        guard isHolder else { return .wait(until: nextAttempt) }
        guard nextStep <= now else { return .wait(until: min(nextStep, nextAttempt)) }
        if pass == nil, nextPass <= now { pass = Pass(began: now) }
        if hints.isEmpty, pass == nil { return .wait(until: min(nextPass, nextAttempt, now + timing.pause.lowerBound)) }
        let hinted = Array(hints.prefix(timing.hintsPerStep))
        hints.subtract(hinted)
        return .step(Step(hinted: hinted, part: pass.map { Part(after: $0.after) }))
    }

    // MARK: Hints

    /// These rooms have something new. Hints are of use to the holder alone.
    mutating func hint(_ roomIDs: [RoomID], now: ContinuousClock.Instant) {
        guard isHolder else { return }
        guard hints.count + roomIDs.count <= timing.maximumHints else { return requirePass(now) }
        hints.formUnion(roomIDs)
    }

    /// Hints begin to come, or do not come any more. Either way some may have been missed.
    mutating func hintsChanged(isHinted: Bool, now: ContinuousClock.Instant) {
        hasHints = isHinted
        requirePass(now)
    }

    /// Has a pass begin now, or after the one that is under way, which may already be behind the room in question. That one
    /// is not begun again: where hints are lost all the time it would never come to the last rooms.
    private mutating func requirePass(_ now: ContinuousClock.Instant) {
        if pass == nil { nextPass = now } else { isPassRepeated = true }
    }

    // MARK: Outcomes

    /// The lease was asked for.
    /// - Returns: whether this server became the holder, or ceased to be.
    mutating func leaseAnswered(
        isHeld: Bool, asked: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> Bool {
        backoff.reset()
        let changes = isHeld != isHolder
        isHolder = isHeld
        nextAttempt = isHeld ? asked + timing.renewal : now + timing.attemptInterval
        guard changes else { return false }
        hints = []
        pass = nil
        isPassRepeated = false
        nextPass = now
        return true
    }

    /// A step was carried out.
    /// - Parameters:
    ///   - last: the last room of the part; `nil` if the pass is complete, and where there was no part.
    ///   - isRefused: whether there was something to append and it was not appended, as after the loss of the lease.
    mutating func finished(
        _ step: Step, last: RoomID?, isRefused: Bool, began: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) {
        backoff.reset()
        if isRefused { nextAttempt = now }
        let pause = (now - began) * 4
        nextStep = now + min(max(pause, timing.pause.lowerBound), timing.pause.upperBound)
        guard step.part != nil, let pass else { return }
        if let last {
            self.pass?.after = last
            return
        }
        self.pass = nil
        let interval = hasHints ? timing.passInterval : timing.passIntervalWithoutHints
        nextPass = isPassRepeated ? now : pass.began + interval
        isPassRepeated = false
    }

    /// The database did not answer.
    mutating func failed(_ step: Step?, now: ContinuousClock.Instant) {
        let delay = backoff.next()
        nextStep = now + delay
        nextAttempt = max(nextAttempt, now + delay)
        if let step { hint(step.hinted, now: now) }
    }
}
