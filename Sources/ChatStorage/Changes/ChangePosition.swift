import ChatEvents
import CommonUtil

/// A place in the feed of changes: everything up to an event of a run has been read.
///
/// The mark is the run's (``ChatSchema/changeFeedMigration``), so a place of another installation, or of a time after which
/// the database was set back, is recognised wherever it is used.
public struct ChangePosition: Hashable, Sendable {
    /// The position of the run; 0 for the beginning of the feed.
    public let run: Int64
    /// The event of the run's room, and 0 for its creation.
    public let seq: Seq
    /// The mark of the run; at the beginning the id of the feed.
    public let mark: Int64

    /// Describes a place.
    public init(run: Int64, seq: Seq, mark: Int64) {
        self.run = run
        self.seq = seq
        self.mark = mark
    }

    /// Whether the place is behind another one of the same feed.
    public func isAfter(_ other: ChangePosition) -> Bool { (run, seq) > (other.run, other.seq) }
}

/// A run of the feed: successive events of one room.
public struct ChangeRun: Hashable, Sendable {
    /// Its position in the feed, from 1 without a gap.
    public let position: Int64
    public let roomID: RoomID
    /// From 0, the room's creation, on.
    public let seqs: ClosedRange<Seq>
    /// The same for all runs that were appended together.
    public let mark: Int64

    /// Describes a run.
    public init(position: Int64, roomID: RoomID, seqs: ClosedRange<Seq>, mark: Int64) {
        self.position = position
        self.roomID = roomID
        self.seqs = seqs
        self.mark = mark
    }

    /// The place at an event of the run.
    public func position(at seq: Seq) -> ChangePosition { ChangePosition(run: position, seq: seq, mark: mark) }
}

/// Which events a reader wants.
public struct ChangeFilter: Equatable, Sendable {
    /// The rooms; `nil` for all of them.
    public var roomIDs: Set<RoomID>?
    /// The types; `nil` for all of them.
    public var types: Set<EventType>?

    /// Describes a filter.
    public init(roomIDs: Set<RoomID>? = nil, types: Set<EventType>? = nil) {
        self.roomIDs = roomIDs
        self.types = types
    }

    /// Everything.
    public static let all = ChangeFilter()
}

/// The part of successive runs that is read at once.
public struct ChangeWindow: Equatable, Sendable {
    /// Parts of runs, in the order of the feed.
    public let runs: [ChangeRun]
    /// The place after the window; `nil` for a window without runs.
    public var end: ChangePosition? { runs.last.map { $0.position(at: $0.seqs.upperBound) } }

    /// Takes the runs after a place, up to a number of events.
    /// - Parameters:
    ///   - runs: ascending; those before the place are passed over.
    ///   - place: where to begin.
    ///   - limit: of events, at least 1.
    public init(of runs: [ChangeRun], after place: ChangePosition, limit: Int) {
        var taken: [ChangeRun] = []
        var room = Int64(limit)
        for run in runs {
            guard room > 0 else { break }
            guard run.position >= place.run else { continue }
            var first = run.seqs.lowerBound
            if run.position == place.run { first = max(first, place.seq + 1) }
            guard first <= run.seqs.upperBound else { continue }
            let last = min(run.seqs.upperBound, first + room - 1)
            taken.append(
                ChangeRun(position: run.position, roomID: run.roomID, seqs: first...last, mark: run.mark))
            room -= last - first + 1
        }
        self.runs = taken
    }
}
