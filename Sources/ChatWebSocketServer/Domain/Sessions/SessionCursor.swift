import ChatEvents
import CommonUtil

/// A session's place in a room's log, which decides what the session is sent next. Pure, no I/O.
///
/// A cursor is live, or it catches up: after an absence, or because its socket takes less than the room sends. A live
/// cursor takes what its event loop dispatches. One that catches up takes events from the room's ring and from pages of the
/// log until it has reached both the loop's position and ``admissionHead``; then it is live again, in the same turn.
///
///     live ──────── socketFilled ───────► catching up
///     live ◄── next, nothing is missing ── catching up ◄── pageRead, take, retry
///     any state ──────── end ───────────► ended
///
/// Every input is a method and the caller does what it returns. In any order of inputs each event is sent once, in the
/// order of `seq`, and `caught_up` is announced once, not before ``admissionHead``.
struct SessionCursor {
    /// A session's phase, as metrics count it.
    enum Phase: Equatable {
        case live
        case catchingUp
        /// The connection is closing or gone. Nothing leaves this phase.
        case ended
    }

    /// The next step of a cursor that catches up.
    enum Step {
        /// Send this event, then ask for the next step.
        case send(MessageEvent)
        /// Read a page of the log after `seq`, then call ``pageRead(from:position:)`` or, later, ``retry()``.
        case readLog(after: Seq)
        /// The cursor is live now. Send `caught_up` with this `seq`, unless it is `nil`.
        case goLive(caughtUp: Seq?)
        /// Nothing to do until the next input.
        case wait
    }

    /// The response to a page of the log.
    enum PageAction: Equatable {
        /// Send the events that ``take(_:)`` accepts, then ask for the next step.
        case send
        /// The log lacks the next event. Call ``retry()`` after this pause.
        case readAgain(after: Duration)
        /// The log lacks the events up to `seq`. They are skipped; ask for the next step.
        case skipGap(upTo: Seq)
        /// The page was not asked for, or the cursor has ended.
        case ignore
    }

    private enum State {
        case live
        /// - announces: whether `caught_up` is sent at the end.
        /// - awaitsLog: whether a page of the log is being read, or will be after a pause.
        case catchingUp(announces: Bool, awaitsLog: Bool)
        case ended
    }

    /// The room's head when the user was admitted, sent as `ready.seq`. The cursor is not caught up before it, and an end of
    /// the user's membership up to it was before the admission.
    let admissionHead: Seq
    /// The highest `seq` that was sent, or that the client said it has.
    private(set) var seq: Seq
    private var gap = LogGap()
    private var state: State

    /// Creates a cursor that catches up. Call ``begin(position:)`` before anything else.
    /// - Parameters:
    ///   - head: the room's head when the user was admitted.
    ///   - lastSeq: the last event that the client has; `nil` if it wants live events only.
    init(admissionHead head: Seq, lastSeq: Seq?) {
        admissionHead = head
        seq = lastSeq ?? head
        state = .catchingUp(announces: lastSeq != nil, awaitsLog: false)
    }

    /// The present phase.
    var phase: Phase {
        switch state {
        case .live: .live
        case .catchingUp: .catchingUp
        case .ended: .ended
        }
    }

    /// Whether the session gets what its loop dispatches.
    var isLive: Bool { phase == .live }

    /// Makes the cursor live if nothing is missing and no `caught_up` is due.
    /// - Parameter position: the highest `seq` that the session's event loop has dispatched. It may be ahead of
    ///   ``admissionHead``; what lies between may say that the user is no longer a member, so it is not skipped.
    mutating func begin(position: Seq) {
        if case .catchingUp(announces: false, _) = state, seq >= position { state = .live }
    }

    /// Ends the cursor: nothing more is sent.
    mutating func end() { state = .ended }

    // MARK: Live

    /// Takes a whole batch, if it continues where a live cursor is.
    ///
    /// This is all that a delivery asks of a session that is up to date.
    /// - Parameters:
    ///   - before: the loop's position before the batch.
    ///   - position: the loop's position after it.
    /// - Returns: whether the batch is to be sent as it is. If not, offer its events one by one.
    @inline(__always)
    mutating func takeBatch(after before: Seq, upTo position: Seq) -> Bool {
        guard case .live = state, seq == before else { return false }
        seq = position
        return true
    }

    /// Takes one event of a batch, for a cursor that a page of the log brought ahead of its loop.
    /// - Returns: whether the event is to be sent: it is new, or has no place in the log.
    mutating func takeDispatched(_ event: MessageEvent) -> Bool {
        guard case .live = state else { return false }
        guard let seq = event.seq else { return true }
        guard seq > self.seq else { return false }
        self.seq = seq
        return true
    }

    /// The socket has as much queued as it may: what follows is read from the log as the socket drains.
    mutating func socketFilled() {
        if case .live = state { state = .catchingUp(announces: false, awaitsLog: false) }
    }

    // MARK: Catching up

    /// Decides what a cursor that catches up is sent next. To be called while the socket is writable.
    /// - Parameter tail: the room as the session's event loop has dispatched it.
    mutating func next(in tail: RoomTail) -> Step {
        guard case .catchingUp(let announces, awaitsLog: false) = state else { return .wait }
        guard seq < end(of: tail.position) else {
            state = .live
            return .goLive(caughtUp: announces ? seq : nil)
        }
        guard let event = tail.ring[seq + 1] else {
            state = .catchingUp(announces: announces, awaitsLog: true)
            return .readLog(after: seq)
        }
        seq += 1
        return .send(event)
    }

    /// Takes the beginning of a page that was read after ``Step/readLog(after:)``.
    /// - Parameters:
    ///   - first: `seq` of the page's first event; `nil` for an empty page.
    ///   - position: the highest `seq` that the session's event loop has dispatched.
    mutating func pageRead(from first: Seq?, position: Seq) -> PageAction {
        guard case .catchingUp(_, awaitsLog: true) = state else { return .ignore }
        guard first != seq + 1 else {
            retry()
            return .send
        }
        switch gap.found(after: seq) {
        case .readAgain(let pause):
            return .readAgain(after: pause)
        case .stepOver:
            seq = max(seq, first.map { $0 - 1 } ?? end(of: position))
            retry()
            return .skipGap(upTo: seq)
        }
    }

    /// Takes an event of a page for which ``pageRead(from:position:)`` returned `send`. What a filled socket leaves of the
    /// page is read again later: a page is not kept for a slow reader.
    /// - Returns: whether the event is the next one and is to be sent.
    mutating func take(_ event: MessageEvent) -> Bool {
        guard case .catchingUp = state, event.seq == seq + 1 else { return false }
        seq += 1
        return true
    }

    /// Lets the log be read again, after a pause or a failed read.
    mutating func retry() {
        guard case .catchingUp(let announces, _) = state else { return }
        state = .catchingUp(announces: announces, awaitsLog: false)
    }

    // The loop may not have received yet what `ready` promised.
    private func end(of position: Seq) -> Seq { max(position, admissionHead) }
}

extension SessionCursor {
    /// Whether an event ends the membership with which this session was admitted: the last event it may be sent.
    func isEnded(by event: MessageEvent, of userID: UserID?) -> Bool {
        event.type == .memberLeft && userID != nil && event.userID == userID && (event.seq ?? 0) > admissionHead
    }
}
