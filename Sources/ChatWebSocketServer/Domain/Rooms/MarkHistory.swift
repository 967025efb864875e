import ChatEvents
import CommonUtil
import DequeModule

/// The marks of the events that a feed has sent, from the last one that is known to be in the log on. Pure: no I/O.
///
/// If the first and the last mark of a run of events match the log, the events in between still need not: the log can
/// have been set back between two of them. So all marks are kept until a comparison with the log confirms them.
struct MarkHistory {
    /// Bound on the marks that are kept; of more the oldest are given up, unconfirmed.
    static let maximumCount = 1_024

    /// The `seq` of the first mark.
    private var first: Seq
    /// `nil` for an event whose mark is not known, and before the first event.
    private var marks: Deque<EventMark?>

    /// Begins after an event.
    init(at seq: Seq, mark: EventMark?) {
        first = seq
        marks = [mark]
    }

    /// The `seq` of the last event.
    var position: Seq { first + Seq(marks.count - 1) }

    /// The mark of the last event.
    var last: EventMark? { marks.last ?? nil }

    /// The mark of an event; `nil` if it is not known, or not kept.
    subscript(seq: Seq) -> EventMark? {
        guard seq >= first, seq <= position else { return nil }
        return marks[Int(seq - first)]
    }

    /// The known marks, in order.
    var known: [(seq: Seq, mark: EventMark)] {
        marks.enumerated().compactMap { index, mark in mark.map { (first + Seq(index), $0) } }
    }

    /// The first and the last of the known marks.
    var ends: [(seq: Seq, mark: EventMark)] {
        guard let last else { return [] }
        guard marks.count > 1, let mark = marks[0] else { return [(position, last)] }
        return [(first, mark), (position, last)]
    }

    /// Appends the next event.
    mutating func append(_ mark: EventMark?) {
        marks.append(mark)
        if marks.count > Self.maximumCount { removeFirst(1) }
    }

    /// Goes on after events that the log lacks.
    mutating func skip(upTo seq: Seq) {
        guard seq > position else { return }
        guard seq - position < Seq(Self.maximumCount) else { return self = MarkHistory(at: seq, mark: nil) }
        while position < seq { append(nil) }
    }

    /// Forgets what was before an event that the log confirmed.
    mutating func confirm(upTo seq: Seq) {
        guard seq > first, seq <= position else { return }
        removeFirst(Int(seq - first))
    }

    private mutating func removeFirst(_ count: Int) {
        marks.removeFirst(count)
        first += Seq(count)
    }
}
