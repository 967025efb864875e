/// A positive 64-bit integer that names something.
public protocol NumericID: Hashable, Comparable, Sendable, CustomStringConvertible {
    var rawValue: Int64 { get }
    init(_ rawValue: Int64)
}

extension NumericID {
    /// Reads the decimal form that headers, paths and token subjects carry.
    /// - Returns: `nil` unless `text` is a positive 64-bit integer without sign or padding: with them one user could
    ///   appear under several spellings.
    public init?(text: String) {
        guard let value = positiveInteger(text) else { return nil }
        self.init(value)
    }

    public var description: String { String(rawValue) }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A user. Given by the system server, or in `trusted` mode by the caller.
public struct UserID: NumericID {
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
}

/// A message, unique in the whole system. Given by PostgreSQL, ascending but with gaps.
public struct MessageID: NumericID {
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
}

/// A place in a room's log: 1, 2, 3 … with no gap. 0 stands before the first event.
public typealias Seq = Int64

private func positiveInteger(_ text: String) -> Int64? {
    var value: Int64 = 0
    for byte in text.utf8 {
        let digit = byte &- UInt8(ascii: "0")
        guard digit < 10, digit > 0 || value > 0 else { return nil }
        let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
        let (sum, isTooLargeWithDigit) = tens.addingReportingOverflow(Int64(digit))
        guard !isTooLarge, !isTooLargeWithDigit else { return nil }
        value = sum
    }
    return value > 0 ? value : nil
}
