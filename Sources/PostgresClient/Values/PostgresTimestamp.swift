import FoundationEssentials

/// A point in time as `timestamptz` keeps it: whole microseconds, here since the Unix epoch.
public struct PostgresTimestamp: Sendable, Hashable, Comparable {
    public var microsecondsSinceEpoch: Int64

    public init(microsecondsSinceEpoch: Int64) {
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    /// The nearest microsecond; a date no `Int64` can hold becomes the first or the last one, which the server refuses.
    public init(_ date: Date) {
        let interval = date.timeIntervalSinceReferenceDate
        let whole = interval.rounded(.down)
        // Whole seconds and the rest apart: their product would not fit a Double's 53 bits for distant dates.
        let fraction = Int64(((interval - whole) * 1_000_000).rounded())
        guard let seconds = Int64(exactly: whole),
            case let (scaled, overflow) = seconds.addingReportingOverflow(Self.referenceDateSeconds), !overflow,
            case let (microseconds, overflow) = scaled.multipliedReportingOverflow(by: 1_000_000), !overflow,
            case let (sum, overflow) = microseconds.addingReportingOverflow(fraction), !overflow
        else {
            microsecondsSinceEpoch = interval > 0 ? .max : .min
            return
        }
        microsecondsSinceEpoch = sum
    }

    /// The same point in time; exact to the microsecond for three centuries around the present.
    public var date: Date {
        let (seconds, microseconds) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
        return Date(
            timeIntervalSinceReferenceDate: Double(seconds - Self.referenceDateSeconds) + Double(microseconds) / 1e6)
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
    }

    /// 2001-01-01, Foundation's reference date, in seconds since the Unix epoch.
    private static let referenceDateSeconds: Int64 = 978_307_200

    /// 2000-01-01, the zero of PostgreSQL's binary format, in microseconds since the Unix epoch.
    private static let wireEpoch: Int64 = 946_684_800_000_000

    /// The binary format: microseconds since 2000-01-01. Saturates; the server refuses the ends of the range.
    var wireValue: Int64 {
        let (value, overflow) = microsecondsSinceEpoch.subtractingReportingOverflow(Self.wireEpoch)
        return overflow ? .min : value
    }

    /// Nil for `infinity` and `-infinity`.
    init?(wireValue: Int64) {
        guard wireValue != .max, wireValue != .min else { return nil }
        let (value, overflow) = wireValue.addingReportingOverflow(Self.wireEpoch)
        guard !overflow else { return nil }
        microsecondsSinceEpoch = value
    }
}
