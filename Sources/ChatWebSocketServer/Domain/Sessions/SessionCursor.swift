import ChatEvents
import CommonUtil

/// A session's place in a room's log, which decides what the session is sent next. Pure: no I/O.
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
        /// Read a page of the log after `seq`, then call ``pageRead(from:mark:position:)`` or, later, ``retry()``.
        case readLog(after: Seq)
        /// The cursor is live now. If `announces`, send `caught_up` with ``seq`` and ``mark``.
        case goLive(announces: Bool)
        /// The session was sent another log than its event loop.
        case otherLog
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
        /// The log is not the one of which the session was sent the event before the page: it was set back.
        case otherLog
        /// The page was not asked for, or the cursor has ended.
        case ignore
    }

    /// What to do with an event that was dispatched.
    enum DispatchAction: Equatable {
        case send
        /// The session has it, or is not live.
        case skip
        /// The session has another event in its place: its log is another one.
        case otherLog
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
    /// The mark of that event; `nil` before the first event, and where it is not known.
    private(set) var mark: EventMark?
    private var gap = LogGap()
    /// Whether the next page of the log is read to see that it continues what was sent, even if nothing is missing.
    private var mustVerify = false
    private var state: State

    /// Creates a cursor that catches up. Call ``begin(in:)`` before anything else.
    /// - Parameters:
    ///   - head: the room's head when the user was admitted.
    ///   - lastSeq: the last event that the client has; `nil` if it wants live events only.
    ///   - mark: that of the event after which the session begins, as the log had it at the admission.
    init(admissionHead head: Seq, lastSeq: Seq?, mark: EventMark? = nil) {
        admissionHead = head
        seq = lastSeq ?? head
        self.mark = mark
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
    /// - Parameter tail: the room as the session's event loop has dispatched it. It may be ahead of ``admissionHead``; what
    ///   lies between may say that the user is no longer a member, so it is not skipped.
    mutating func begin(in tail: RoomTail) {
        if case .catchingUp(announces: false, _) = state, seq >= tail.position, !isOther(than: tail) { state = .live }
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
    ///   - mark: that of the event there.
    /// - Returns: whether the batch is to be sent as it is. If not, offer its events one by one.
    @inline(__always)
    mutating func takeBatch(after before: Seq, upTo position: Seq, mark: EventMark?) -> Bool {
        guard case .live = state, seq == before else { return false }
        seq = position
        self.mark = mark
        return true
    }

    /// Takes one event of a batch, for a cursor that a page of the log brought ahead of its loop.
    /// - Returns: `send` for an event that is new, or has no place in the log.
    mutating func takeDispatched(_ event: MessageEvent) -> DispatchAction {
        guard case .live = state else { return .skip }
        guard let seq = event.seq else { return .send }
        guard seq > self.seq else {
            return seq == self.seq && Self.differ(event.mark, mark) ? .otherLog : .skip
        }
        self.seq = seq
        mark = event.mark
        return .send
    }

    /// The socket has as much queued as it may: what follows is read from the log as the socket drains.
    mutating func socketFilled() {
        if case .live = state { state = .catchingUp(announces: false, awaitsLog: false) }
    }

    /// Notes that the log may have been set back. A cursor that is ahead of its event loop verifies this by reading the
    /// log. Any other cursor has only what its room's feed has sent, and the feed is compared with the log.
    /// - Parameter position: the highest `seq` that the session's event loop has dispatched.
    mutating func verify(position: Seq) {
        guard phase != .ended, seq > position else { return }
        mustVerify = true
        socketFilled()
    }

    // MARK: Catching up

    /// Decides what a cursor that catches up is sent next. To be called while the socket is writable.
    /// - Parameter tail: the room as the session's event loop has dispatched it.
    mutating func next(in tail: RoomTail) -> Step {
        guard case .catchingUp(let announces, awaitsLog: false) = state else { return .wait }
        if mustVerify {
            state = .catchingUp(announces: announces, awaitsLog: true)
            return .readLog(after: seq)
        }
        guard seq < end(of: tail.position) else {
            guard !isOther(than: tail) else { return .otherLog }
            state = .live
            return .goLive(announces: announces)
        }
        if let present = tail.ring[seq], Self.differ(present.mark, mark) { return .otherLog }
        guard let event = tail.ring[seq + 1] else {
            state = .catchingUp(announces: announces, awaitsLog: true)
            return .readLog(after: seq)
        }
        seq += 1
        mark = event.mark
        return .send(event)
    }

    /// Takes the beginning of a page that was read after ``Step/readLog(after:)``.
    /// - Parameters:
    ///   - first: `seq` of the page's first event; `nil` for an empty page.
    ///   - mark: that of the event that the page was read after; `nil` if the log has none.
    ///   - position: the highest `seq` that the session's event loop has dispatched.
    mutating func pageRead(from first: Seq?, mark: EventMark?, position: Seq) -> PageAction {
        guard case .catchingUp(_, awaitsLog: true) = state else { return .ignore }
        if let known = self.mark, known != mark { return .otherLog }
        let isVerified = mustVerify && first == nil && seq >= end(of: position)
        mustVerify = false
        guard first != seq + 1, !isVerified else {
            retry()
            return .send
        }
        switch gap.found(after: seq) {
        case .readAgain(let pause):
            return .readAgain(after: pause)
        case .stepOver:
            let end = max(seq, first.map { $0 - 1 } ?? end(of: position))
            if end > seq { self.mark = nil }
            seq = end
            retry()
            return .skipGap(upTo: seq)
        }
    }

    /// Takes an event of a page for which ``pageRead(from:mark:position:)`` returned `send`. What a filled socket leaves of the
    /// page is read again later: a page is not kept for a slow reader.
    /// - Returns: whether the event is the next one and is to be sent.
    mutating func take(_ event: MessageEvent) -> Bool {
        guard case .catchingUp = state, event.seq == seq + 1 else { return false }
        seq += 1
        mark = event.mark
        return true
    }

    /// Lets the log be read again, after a pause or a failed read.
    mutating func retry() {
        guard case .catchingUp(let announces, _) = state else { return }
        state = .catchingUp(announces: announces, awaitsLog: false)
    }

    // The loop may not have received yet what `ready` promised.
    private func end(of position: Seq) -> Seq { max(position, admissionHead) }

    /// Whether the event loop has dispatched another event where the cursor is.
    private func isOther(than tail: RoomTail) -> Bool { seq == tail.position && Self.differ(mark, tail.mark) }

    /// Whether both marks are known, and are those of different events.
    private static func differ(_ one: EventMark?, _ other: EventMark?) -> Bool {
        guard let one, let other else { return false }
        return one != other
    }
}

extension SessionCursor {
    /// Whether an event ends the membership with which this session was admitted: the last event it may be sent.
    func isEnded(by event: MessageEvent, of userID: UserID?) -> Bool {
        event.type == .memberLeft && userID != nil && event.userID == userID && (event.seq ?? 0) > admissionHead
    }
}
