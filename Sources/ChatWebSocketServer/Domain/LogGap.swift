import CommonUtil

/// Rows that are missing in a room's log although later ones are there, as after a partial restore. Pure, no I/O.
///
/// A log has no gaps, so the first finding is not believed: the log is read again. A reader that found the same gap three
/// times goes on behind it, since otherwise it would never be told anything again.
struct LogGap {
    enum Decision: Equatable {
        case readAgain(after: Duration)
        case stepOver
    }

    /// In all less than two seconds.
    static let pauses: [Duration] = [.milliseconds(400), .milliseconds(800)]

    /// The event before the gap.
    private var position: Seq?
    private var findings = 0

    /// Takes the finding that the event after `position` is missing.
    mutating func found(after position: Seq) -> Decision {
        if self.position != position {
            self.position = position
            findings = 0
        }
        guard findings < Self.pauses.count else {
            self.position = nil
            return .stepOver
        }
        defer { findings += 1 }
        return .readAgain(after: Self.pauses[findings])
    }
}
