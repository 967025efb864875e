import FoundationEssentials

/// A time in microseconds since 1970-01-01 UTC, the resolution of PostgreSQL. Clients see RFC 3339 with milliseconds,
/// rounded down, so that a time is never later than it was.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Microseconds since 1970-01-01 UTC.
    public let microseconds: Int64

    /// Creates a time.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Creates a time from a date, rounded to microseconds.
    public init(_ date: Date) { microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded()) }

    /// The plausible times: RFC 3339 has years of four digits, and no event is older than 1970.
    static let years1970To9999 = Timestamp(microseconds: 0)..<Timestamp(microseconds: 253_402_300_800_000_000)

    /// The present time.
    public static var now: Timestamp { Timestamp(Date()) }

    /// Whole seconds since 1970-01-01 UTC.
    public var seconds: Int64 { microseconds.floorDivided(by: 1_000_000) }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// For example `2026-11-22T16:56:46.123Z` (RFC 3339 section 5.6).
    public var description: String {
        let days = seconds.floorDivided(by: 86_400)
        let secondOfDay = seconds - days * 86_400
        let milliseconds = (microseconds - seconds * 1_000_000) / 1_000
        let (year, month, day) = Self.civilDate(daysSince1970: days)
        let fields = [
            (year, 4), (month, 2), (day, 2), (secondOfDay / 3600, 2), (secondOfDay / 60 % 60, 2), (secondOfDay % 60, 2),
            (milliseconds, 3),
        ]
        return String(unsafeUninitializedCapacity: 24) { text in
            for mark in Self.punctuation { text[mark.position] = mark.byte }
            var end = 0
            for (number, width) in fields {
                var rest = number
                for position in (end..<end + width).reversed() {
                    text[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                end += width + 1
            }
            return 24
        }
    }

    /// Reads the form of ``description``.
    /// - Returns: `nil` for any other form, including other forms of RFC 3339.
    public init?(text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 24, Self.punctuation.allSatisfy({ bytes[$0.position] == $0.byte }) else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[range] {
                guard byte.isASCIIDigit else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            let millisecond = number(20..<23), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second < 60
        else { return nil }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        microseconds = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + millisecond * 1_000
    }

    /// Reads a time that a client sent (RFC 3339 section 5.6): in UTC, as `Z` or `+00:00`, with or without a fraction of the
    /// second, of which milliseconds are kept.
    /// - Returns: `nil` for any other form, and for a day that its month does not have.
    public init?(rfc3339 text: String) {
        guard let zone = ["Z", "+00:00"].first(where: text.hasSuffix), text.utf8.count <= 40 else { return nil }
        let parts = text.dropLast(zone.count).split(separator: ".", omittingEmptySubsequences: false)
        let fraction = parts.count > 1 ? parts[1] : "0"
        guard parts.count <= 2, !fraction.isEmpty, fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        let canonical = parts[0] + "." + (fraction + "00").prefix(3) + "Z"
        guard let time = Timestamp(text: String(canonical)), time.description == canonical else { return nil }
        self = time
    }

    private static let punctuation: [(position: Int, byte: UInt8)] = [
        (4, UInt8(ascii: "-")), (7, UInt8(ascii: "-")), (10, UInt8(ascii: "T")), (13, UInt8(ascii: ":")),
        (16, UInt8(ascii: ":")), (19, UInt8(ascii: ".")), (23, UInt8(ascii: "Z")),
    ]

    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let cycle = marchYear.floorDivided(by: 400)
        let yearOfCycle = marchYear - cycle * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return cycle * 146_097 + yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear - 719_468
    }

    /// The date in the proleptic Gregorian calendar. Computed in 400-year cycles that begin on 1 March, so that leap days are
    /// the last days of their years.
    private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = daysSince1970 + 719_468
        let cycle = shifted.floorDivided(by: 146_097)
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension JSONWriter {
    /// Writes a member with a time.
    public mutating func member(_ key: String, _ value: Timestamp) { member(key, value.description) }

    /// Writes a member with a time, or nothing for `nil`.
    public mutating func member(_ key: String, ifPresent value: Timestamp?) {
        if let value { member(key, value) }
    }
}
