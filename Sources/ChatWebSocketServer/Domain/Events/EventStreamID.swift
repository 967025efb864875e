import ChatEvents
import CommonUtil

/// A position in a room's log as the id of a server-sent event, which `EventSource` sends back as `Last-Event-ID`.
///
/// Its text is `{seq}.{mark}`, or `{seq}` where the mark is not known. The beginning of a log, where no event is, is `0.`: an
/// id that is an empty text would not be sent back.
struct EventStreamID: Equatable, Sendable {
    /// The requirement on the text, for error messages.
    static let rule = "{seq}.{mark} or {seq}"

    let seq: Seq
    /// The mark of the event at ``seq``.
    let mark: EventMark?

    init(seq: Seq, mark: EventMark?) {
        self.seq = seq
        self.mark = mark
    }

    /// Parses an id.
    /// - Returns: `nil` for a text that is none.
    init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let digits = parts.first, !digits.isEmpty, digits.utf8.allSatisfy(\.isASCIIDigit), let seq = Seq(digits)
        else { return nil }
        self.seq = seq
        switch parts.dropFirst().first {
        case nil:
            mark = nil
        case ""?:
            guard seq == 0 else { return nil }
            mark = nil
        case let text?:
            guard seq > 0, let mark = EventMark(String(text)) else { return nil }
            self.mark = mark
        }
    }
}

extension EventStreamID: CustomStringConvertible {
    var description: String {
        if let mark { "\(seq).\(mark)" } else { seq == 0 ? "0." : "\(seq)" }
    }
}
