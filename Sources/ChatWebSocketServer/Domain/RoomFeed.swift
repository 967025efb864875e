import ChatEvents
import CommonUtil
import NIOCore

/// What a room's events have come to on this server: puts them in the log's order. Pure, no I/O.
///
/// The next in line is sent. One that was sent before is dropped. One that is ahead waits, and what is missing before
/// it is read from the log, which is the only truth.
struct RoomFeed {
    /// Early arrivals that are kept, and how far ahead they may be; what lies beyond is read from the log.
    static let maximumEarly = 1_024
    static let maximumEarlyBytes = 4 * 1_024 * 1_024

    enum Reaction {
        /// To be sent, in this order.
        case deliver([MessageEvent])
        /// Something is missing: look at ``isBehind`` a moment later and read the log.
        case wait
        case drop
    }

    /// What a page of the log came to.
    struct Filling {
        /// To be sent, in this order.
        var line: [MessageEvent] = []
        /// Events that were heard of and that the log does not hold: someone published nonsense.
        var phantoms = 0
        /// The last event before the one that the log lacks, where it lacks one although it has later ones.
        var gapEnd: Seq?
    }

    private struct EarlyEvent {
        let event: MessageEvent
        /// The number of the reading that was under way, or the last one.
        let reading: Int
    }

    /// The highest `seq` that was sent; `nil` until ``start(at:)``.
    private(set) var position: Seq?
    /// The highest `seq` that was said to exist: until the log was read this is a announcedHead.
    private var announcedHead: Seq = 0
    /// The same, of what was said since the last reading began.
    private var freshAnnouncedHead: Seq = 0
    /// The log's own head, as it was told before the last reading began, and since then.
    private var head: Seq = 0
    private var freshHead: Seq = 0
    private var early: [Seq: EarlyEvent] = [:]
    private var earlyBytes = 0
    private var readings = 0

    /// Whether something is missing.
    var isBehind: Bool { position.map { max(announcedHead, freshAnnouncedHead, head, freshHead) > $0 } ?? false }

    /// Begins after what the log held when the first session was let in. What arrived since is sorted in.
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
            // It may have come early before, by another way.
            _ = takeEarly(seq)
            return .deliver([event] + takeInLine())
        }
        keep(event, seq)
        return .wait
    }

    /// Hears from the log that the room's head is at least there.
    mutating func hear(ofHead head: Seq) { freshHead = max(freshHead, head) }

    /// To be called when a page of the log is about to be read.
    /// - Returns: the cursor to read from; `nil` where nothing is missing.
    mutating func beginReading() -> Seq? {
        guard isBehind else { return nil }
        readings += 1
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

    /// The event before the next one that the log has, where it lacks the one after ``position``.
    private func gapEnd(in events: [MessageEvent], isLast: Bool) -> Seq? {
        guard let position else { return nil }
        if let next = events.lazy.compactMap(\.seq).first(where: { $0 > position }) {
            return next - 1 > position ? next - 1 : nil
        }
        return isLast && head > position ? head : nil
    }

    /// Goes on behind events that the log lacks.
    /// - Parameter seq: the last of them.
    /// - Returns: what came early and is next now.
    mutating func stepOver(upTo seq: Seq) -> [MessageEvent] {
        guard let position, seq > position else { return [] }
        self.position = seq
        for early in early.keys where early <= seq { _ = takeEarly(early) }
        return takeInLine()
    }

    /// The log was read to its end: an event is published after it is committed, so what was said to exist before the
    /// reading began, and was not read, does not.
    private mutating func dropPhantoms() -> Int {
        guard let position, announcedHead > max(position, head) else { return 0 }
        let end = max(position, head)
        announcedHead = end
        let phantoms = early.filter { $0.key > end && $0.value.reading < readings }.map(\.key)
        for seq in phantoms { _ = takeEarly(seq) }
        return max(1, phantoms.count)
    }

    private mutating func keep(_ event: MessageEvent, _ seq: Seq) {
        freshAnnouncedHead = max(freshAnnouncedHead, seq)
        let bytes = event.frame.readableBytes
        guard early[seq] == nil, early.count < Self.maximumEarly, earlyBytes + bytes <= Self.maximumEarlyBytes,
            seq - (position ?? seq) <= Seq(Self.maximumEarly)
        else { return }
        early[seq] = EarlyEvent(event: event, reading: readings)
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
