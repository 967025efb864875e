import ChatEvents
import CommonUtil

/// What a room's events have come to on this server: puts them in the log's order. Pure, no I/O.
///
/// The next in line is sent. One that was sent before is dropped. One that is ahead waits, and what is missing before
/// it is read from the log, which is the only truth.
struct RoomFeed {
    /// Early arrivals that are kept; what comes beyond is read from the log later.
    static let maximumEarly = 1_024

    enum Reaction {
        /// To be sent, in this order.
        case deliver([MessageEvent])
        /// Something is missing: look at ``isBehind`` a moment later and read the log.
        case wait
        case drop
    }

    /// The highest `seq` that was sent; `nil` until ``start(at:)``.
    private(set) var position: Seq?
    /// The highest `seq` that is known to exist. Until the log was read this is a rumour.
    private(set) var rumouredHead: Seq = 0
    private var early: [Seq: MessageEvent] = [:]

    /// Whether something is missing.
    var isBehind: Bool { position.map { rumouredHead > $0 } ?? false }

    /// Begins after what the log held when the first session was let in. What arrived since is sorted in.
    mutating func start(at head: Seq) -> [MessageEvent] {
        guard position == nil else { return [] }
        position = head
        early = early.filter { $0.key > head }
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
            return .deliver([event] + takeInLine())
        }
        keep(event, seq)
        return .wait
    }

    /// Hears from the log that the room's head is at least there.
    mutating func hear(ofHead head: Seq) { rumouredHead = max(rumouredHead, head) }

    /// Takes a page of the log that was read after ``position``.
    /// - Parameters:
    ///   - events: ascending, without a gap.
    ///   - target: what ``rumouredHead`` was when the reading began.
    ///   - isLast: whether the log held no more.
    /// - Returns: what is to be sent.
    mutating func fill(_ events: [MessageEvent], target: Seq, isLast: Bool) -> [MessageEvent] {
        guard var position else { return [] }
        var line: [MessageEvent] = []
        for event in events {
            guard let seq = event.seq, seq == position + 1 else { continue }
            early[seq] = nil
            position = seq
            line.append(event)
        }
        self.position = position
        line += takeInLine()
        if isLast, rumouredHead <= target, isBehind {
            // The log was read to its end and does not hold what was said to exist: someone published nonsense.
            early.removeAll()
            rumouredHead = self.position ?? 0
        }
        return line
    }

    private mutating func keep(_ event: MessageEvent, _ seq: Seq) {
        rumouredHead = max(rumouredHead, seq)
        if early.count < Self.maximumEarly { early[seq] = event }
    }

    private mutating func takeInLine() -> [MessageEvent] {
        guard var position else { return [] }
        var line: [MessageEvent] = []
        while let event = early.removeValue(forKey: position + 1) {
            position += 1
            line.append(event)
        }
        self.position = position
        return line
    }
}
