import ChatEvents
import ChatStorage
import CommonUtil

/// The position of a feed.
struct FeedPosition: Equatable, Sendable {
    /// Which feed it is: a room whose log was set back gets another one.
    let epoch: Int
    /// The highest `seq` that was sent.
    let seq: Seq
    /// The mark of that event; `nil` if it is not known.
    let mark: EventMark?
}

/// What was read of a room's log for a session that begins.
struct LogReading: Sendable {
    let head: Seq
    /// The mark of the event there.
    let headMark: EventMark?
    /// Where the room's feed was before the log was read.
    var sent: FeedPosition?
    /// The log's mark there; `nil` if it has no such event.
    var sentMark: EventMark?
    /// Number of interruptions before the log was read.
    let interruptions: Int

    /// Whether the log is not the one whose events the feed has sent.
    var isOtherThanSent: Bool {
        guard let sent else { return false }
        return head < sent.seq || sent.mark.map { $0 != sentMark } ?? false
    }
}

/// What a feed has sent, to be compared with the log. Pure: no I/O.
struct FeedProbe: Sendable {
    /// What the log says about it.
    enum Verdict: Equatable {
        /// The log holds what was sent, and has this head.
        case same(head: Seq)
        /// The log was set back: it ends before what was sent, or holds other events.
        case other(head: Seq)
    }

    /// Which feed it is: a room whose log was set back gets another one.
    let epoch: Int
    /// The highest `seq` that was sent.
    let position: Seq
    /// Number of times that the feed was held, see ``RoomFeed/hold()``.
    let holds: Int
    /// The events to compare, in order; those whose marks are not known are not among them.
    let marks: [(seq: Seq, mark: EventMark)]

    /// The positions to read of the log; the answers are given to ``verdict(_:)``.
    var asked: [Seq] { marks.isEmpty ? [position] : marks.map(\.seq) }

    /// Compares what was read of the log with what was sent.
    /// - Parameter found: for each of ``asked``; `nil` if there is no such room.
    func verdict(_ found: some Sequence<LogPosition?>) -> Verdict {
        let found = Array(found)
        let head = found.lazy.compactMap { $0?.head }.first ?? 0
        let isSame = zip(marks, found).allSatisfy { sent, found in found?.mark == sent.mark }
        return head >= position && isSame ? .same(head: head) : .other(head: head)
    }
}
