import CommonUtil

/// Rows that are missing in a room's log although later ones are there, as after a partial restore. Pure, no I/O.
///
/// A log has no gaps, so the first finding is not trusted: the log is read again. A reader that found the same gap three
/// times goes on after it, since otherwise it would stall for ever.
struct LogGap {
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
