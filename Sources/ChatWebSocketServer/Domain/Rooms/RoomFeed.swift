import ChatEvents
import CommonUtil
import NIOCore

/// Puts the events of one room in the order of its log. Pure: no I/O.
///
/// The next event is sent. One that was sent before is dropped. One that is ahead waits, and what is missing before it is
/// read from the log, which is the only source of truth.
///
/// The log itself can become another one, where PostgreSQL is restored from a backup or replaced by a replica. So the feed
/// keeps the marks of what it sent, until a comparison with the log confirms them, and a page of the log must continue what
/// was sent. While there is a reason to suspect a reset, the feed is held: what Redis brings waits, and only the log is believed.
struct RoomFeed {
    /// Bound on the early events that are kept, in number and in distance; what lies beyond is read from the log.
    static let maximumEarly = 1_024
    static let maximumEarlyBytes = 4 * 1_024 * 1_024

    /// What to do with an event.
    enum Action {
        /// To be sent, in this order.
        case deliver([MessageEvent])
        /// Something is missing: check ``isBehind`` after a short time and read the log.
        case wait
        /// The same, of an event that is next, while the feed is held.
        case held
        case drop
        /// Another event was sent with this `seq`. The feed is held now: compare it with the log.
        case conflict
    }

    /// The effect of a page of the log.
    struct PageResult {
        /// To be sent, in this order.
        var events: [MessageEvent] = []
        /// Number of events that were announced and are not in the log: something published them without storing them.
        var phantoms = 0
        /// `seq` of the last missing event, if the log lacks events although it has later ones.
        var gapEnd: Seq?
        /// Whether the log is not the one whose events were sent. The other properties do not count then.
        var isOtherLog = false
    }

    private struct EarlyEvent {
        let event: MessageEvent
        /// Number of the read that was under way, or of the last one.
        let read: Int
    }

    /// The events that were sent, as far as they are not confirmed; `nil` until ``start(at:mark:isVerified:)``.
    private var sent: MarkHistory?
    /// Whether what Redis brings waits until the log has confirmed what was sent.
    private(set) var isHeld = false
    /// Number of times that there was a reason to suspect a reset.
    private var holds = 0
    /// The event after which the log is being read, or was last.
    private var readingAfter: (seq: Seq, mark: EventMark?)?
    /// The highest `seq` of an event that Redis delivered before the last read began. Not trusted until the log confirms it.
    private var announcedHead: Seq = 0
    /// The same, of events since the last read began.
    private var freshAnnouncedHead: Seq = 0
    /// The head of the log, as it was read before the last read of events began, and since then.
    private var head: Seq = 0
    private var freshHead: Seq = 0
    private var early: [Seq: EarlyEvent] = [:]
    private var earlyBytes = 0
    private var reads = 0

    /// The highest `seq` that was sent; `nil` until ``start(at:mark:isVerified:)``.
    var position: Seq? { sent?.position }

    /// The mark of the event there; `nil` if it is not known.
    var mark: EventMark? { sent?.last }

    /// Whether something is missing.
    var isBehind: Bool { position.map { max(announcedHead, freshAnnouncedHead, head, freshHead) > $0 } ?? false }

    /// Starts after the head that the log had when the first session was admitted.
    /// - Parameters:
    ///   - mark: that of the event there.
    ///   - isVerified: whether the log was read after the last reason to suspect a reset.
    /// - Returns: events that arrived meanwhile and are next.
    mutating func start(at head: Seq, mark: EventMark?, isVerified: Bool = true) -> [MessageEvent] {
        guard sent == nil else { return [] }
        sent = MarkHistory(at: head, mark: mark)
        isHeld = !isVerified
        for seq in early.keys where seq <= head { _ = takeEarly(seq) }
        return takeConsecutive()
    }

    /// Takes an event that has a `seq`.
    mutating func receive(_ event: MessageEvent, seq: Seq) -> Action {
        guard let position else {
            keep(event, seq)
            return .drop
        }
        if seq <= position {
            guard isOther(event, seq) else { return .drop }
            hold()
            return .conflict
        }
        if seq == position + 1, !isHeld {
            sent?.append(event.mark)
            // It may have arrived early before.
            _ = takeEarly(seq)
            return .deliver([event] + takeConsecutive())
        }
        keep(event, seq)
        return seq == position + 1 ? .held : .wait
    }

    /// Whether another event was sent in the place of one.
    private func isOther(_ event: MessageEvent, _ seq: Seq) -> Bool {
        guard let mark = event.mark, let known = sent?[seq] else { return false }
        return mark != known
    }

    /// Takes a head that was read from the log.
    mutating func noteHead(_ head: Seq) { freshHead = max(freshHead, head) }

    /// Begins a read of the log.
    /// - Returns: the cursor to read from; `nil` if nothing is missing.
    mutating func beginReading() -> Seq? {
        guard isBehind else { return nil }
        reads += 1
        announcedHead = max(announcedHead, freshAnnouncedHead)
        freshAnnouncedHead = 0
        head = max(head, freshHead)
        freshHead = 0
        readingAfter = position.map { ($0, mark) }
        return position
    }

    /// Takes a page of the log that was read after ``beginReading()``.
    /// - Parameters:
    ///   - events: ascending.
    ///   - mark: that of the event that the page was read after; `nil` if the log has none.
    ///   - isLast: whether the log held no more.
    mutating func fill(_ events: [MessageEvent], after mark: EventMark?, isLast: Bool) -> PageResult {
        guard position != nil else { return PageResult() }
        if let known = readingAfter?.mark, known != mark { return PageResult(isOtherLog: true) }
        var result = PageResult()
        for event in events {
            guard let seq = event.seq, let position else { continue }
            if isOther(event, seq) { return PageResult(isOtherLog: true) }
            guard seq == position + 1 else { continue }
            _ = takeEarly(seq)
            sent?.append(event.mark)
            result.events.append(event)
        }
        result.events += takeConsecutive()
        head = max(head, events.last?.seq ?? 0)
        result.gapEnd = gapEnd(in: events, isLast: isLast)
        if isLast { result.phantoms = dropPhantoms() }
        return result
    }

    /// `seq` of the last missing event after ``position``; `nil` if the log lacks none.
    private func gapEnd(in events: [MessageEvent], isLast: Bool) -> Seq? {
        guard let position else { return nil }
        if let next = events.lazy.compactMap(\.seq).first(where: { $0 > position }) {
            return next - 1 > position ? next - 1 : nil
        }
        return isLast && head > position ? head : nil
    }

    /// Skips events that the log lacks.
    /// - Parameter seq: the last of them.
    /// - Returns: events that arrived early and are next now.
    mutating func stepOver(upTo seq: Seq) -> [MessageEvent] {
        guard let position, seq > position else { return [] }
        sent?.skip(upTo: seq)
        for early in early.keys where early <= seq { _ = takeEarly(early) }
        return takeConsecutive()
    }

    /// Drops announced events that the log does not hold. An event is published after its commit, so one that was announced
    /// before the log was read to its end, and was not read, does not exist.
    /// - Returns: their number, as far as it is known.
    private mutating func dropPhantoms() -> Int {
        guard let position, announcedHead > max(position, head) else { return 0 }
        let end = max(position, head)
        announcedHead = end
        let phantoms = early.filter { $0.key > end && $0.value.read < reads }.map(\.key)
        for seq in phantoms { _ = takeEarly(seq) }
        return max(1, phantoms.count)
    }

    private mutating func keep(_ event: MessageEvent, _ seq: Seq) {
        freshAnnouncedHead = max(freshAnnouncedHead, seq)
        let bytes = event.frame.readableBytes
        guard early[seq] == nil, early.count < Self.maximumEarly, earlyBytes + bytes <= Self.maximumEarlyBytes,
            seq - (position ?? seq) <= Seq(Self.maximumEarly)
        else { return }
        early[seq] = EarlyEvent(event: event, read: reads)
        earlyBytes += bytes
    }

    private mutating func takeEarly(_ seq: Seq) -> MessageEvent? {
        guard let taken = early.removeValue(forKey: seq)?.event else { return nil }
        earlyBytes -= taken.frame.readableBytes
        return taken
    }

    private mutating func takeConsecutive() -> [MessageEvent] {
        var events: [MessageEvent] = []
        while !isHeld, let position, let event = takeEarly(position + 1) {
            sent?.append(event.mark)
            events.append(event)
        }
        return events
    }
}

/// Comparing what was sent with the log.
extension RoomFeed {
    /// Holds the feed, since the log may not be the one whose events were sent: events from Redis wait.
    mutating func hold() {
        isHeld = true
        holds += 1
    }

    /// What to compare with the log; `nil` before the feed has begun. For a held feed these are all marks that are not
    /// confirmed, otherwise the first and the last, since nothing can have come between.
    func probe(epoch: Int) -> FeedProbe? {
        sent.map { sent in
            FeedProbe(
                epoch: epoch, position: sent.position, holds: holds, marks: isHeld ? sent.known : sent.ends)
        }
    }

    /// The log holds what was sent up to a probe.
    /// - Parameter isCurrent: whether the log was read after the last reason to suspect a reset, as far as the caller knows.
    /// - Returns: events that waited and are next.
    mutating func confirm(_ probe: FeedProbe, isCurrent: Bool) -> [MessageEvent] {
        sent?.confirm(upTo: probe.position)
        guard isHeld, isCurrent, probe.holds == holds else { return [] }
        isHeld = false
        return takeConsecutive()
    }
}

/// Rows that are missing in a room's log although later ones are there, as after a partial restore. Pure: no I/O.
///
/// A log has no gaps, so the first finding is not trusted: the log is read again. A reader that found the same gap three
/// times goes on after it, since otherwise it would stall for ever.
struct LogGap {
    /// What a reader does about a gap.
    enum Decision: Equatable {
        case readAgain(after: Duration)
        case stepOver
    }

    /// Pauses before the log is read again; less than two seconds in total.
    static let pauses: [Duration] = [.milliseconds(400), .milliseconds(800)]

    /// The event before the gap.
    private var position: Seq?
    private var findings: UInt8 = 0

    /// Counts a read in which the event after `position` was missing.
    /// - Returns: whether to read again, and when, or to go on after the gap.
    mutating func found(after position: Seq) -> Decision {
        if self.position != position {
            self.position = position
            findings = 0
        }
        guard Int(findings) < Self.pauses.count else {
            self.position = nil
            return .stepOver
        }
        defer { findings += 1 }
        return .readAgain(after: Self.pauses[Int(findings)])
    }
}
