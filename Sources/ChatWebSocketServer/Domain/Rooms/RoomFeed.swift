import ChatEvents
import CommonUtil
import NIOCore

/// Puts the events of one room in the order of its log. Pure, no I/O.
///
/// The next event is sent. One that was sent before is dropped. One that is ahead waits, and what is missing before it is
/// read from the log, which is the only source of truth.
struct RoomFeed {
    /// Bound on the early events that are kept, in number and in distance; what lies beyond is read from the log.
    static let maximumEarly = 1_024
    static let maximumEarlyBytes = 4 * 1_024 * 1_024

    /// What to do with an event.
    enum Reaction {
        /// To be sent, in this order.
        case deliver([MessageEvent])
        /// Something is missing: check ``isBehind`` after a short time and read the log.
        case wait
        case drop
    }

    /// The effect of a page of the log.
    struct Filling {
        /// To be sent, in this order.
        var line: [MessageEvent] = []
        /// Number of events that were announced and are not in the log: something published them without storing them.
        var phantoms = 0
        /// `seq` of the last missing event, if the log lacks events although it has later ones.
        var gapEnd: Seq?
    }

    private struct EarlyEvent {
        let event: MessageEvent
        /// Number of the read that was under way, or of the last one.
        let read: Int
    }

    /// The highest `seq` that was sent; `nil` until ``start(at:)``.
    private(set) var position: Seq?
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

    /// Whether something is missing.
    var isBehind: Bool { position.map { max(announcedHead, freshAnnouncedHead, head, freshHead) > $0 } ?? false }

    /// Starts after the head that the log had when the first session was admitted.
    /// - Returns: events that arrived meanwhile and are next.
    mutating func start(at head: Seq) -> [MessageEvent] {
        guard position == nil else { return [] }
        position = head
        for seq in early.keys where seq <= head { _ = takeEarly(seq) }
        return takeInLine()
    }

    /// Takes an event that has a `seq`.
    mutating func receive(_ event: MessageEvent, seq: Seq) -> Reaction {
        guard let position else {
            keep(event, seq)
            return .drop
        }
        if seq <= position { return .drop }
        if seq == position + 1 {
            self.position = seq
            // It may have arrived early before.
            _ = takeEarly(seq)
            return .deliver([event] + takeInLine())
        }
        keep(event, seq)
        return .wait
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
        return position
    }

    /// Takes a page of the log that was read after ``beginReading()``.
    /// - Parameters:
    ///   - events: ascending.
    ///   - isLast: whether the log held no more.
    mutating func fill(_ events: [MessageEvent], isLast: Bool) -> Filling {
        guard let position else { return Filling() }
        var filling = Filling()
        var last = position
        for event in events {
            guard let seq = event.seq, seq == last + 1 else { continue }
            _ = takeEarly(seq)
            last = seq
            filling.line.append(event)
        }
        self.position = last
        filling.line += takeInLine()
        head = max(head, events.last?.seq ?? 0)
        filling.gapEnd = gapEnd(in: events, isLast: isLast)
        if isLast { filling.phantoms = dropPhantoms() }
        return filling
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
        self.position = seq
        for early in early.keys where early <= seq { _ = takeEarly(early) }
        return takeInLine()
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

    private mutating func takeInLine() -> [MessageEvent] {
        guard var position else { return [] }
        var line: [MessageEvent] = []
        while let event = takeEarly(position + 1) {
            position += 1
            line.append(event)
        }
        self.position = position
        return line
    }
}

/// Rows that are missing in a room's log although later ones are there, as after a partial restore. Pure, no I/O.
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
