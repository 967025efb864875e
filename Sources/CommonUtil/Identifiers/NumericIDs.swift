/// A positive integer that names something.
public protocol NumericID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The largest value an identifier of this kind can have.
    static var largest: Int64 { get }
    var rawValue: Int64 { get }
    init(_ rawValue: Int64)
}

extension NumericID {
    /// 2^53 − 1: JavaScript and many JSON parsers read a greater number as another one.
    public static var largest: Int64 { (1 << 53) - 1 }

    /// Reads the decimal form that headers, paths and token subjects carry.
    /// - Returns: `nil` unless `text` is an integer from 1 to `largest` without sign or padding: with them one user
    ///   could appear under several spellings.
    public init?(text: String) {
        guard Self.isDecimal(text), let value = Int64(text), value <= Self.largest else { return nil }
        self.init(value)
    }

    /// What a field that holds such an identifier has to be, for an error's text.
    public static var requirement: String { "must be an integer from 1 to \(largest)" }

    /// Whether `text` is a positive integer, but one that no identifier of this kind can have.
    public static func isTooLarge(_ text: String) -> Bool { isDecimal(text) && Self(text: text) == nil }

    private static func isDecimal(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != UInt8(ascii: "0") else { return false }
        return text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
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

/// A sign-in: it begins with a login, lives on through refreshes, and ends as a whole. The claim `sid` of access tokens.
public struct SignInID: NumericID {
    public static let largest = Int64.max
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// A new one, of 63 random bits; it is a string wherever a client sees it. A counter of the database would give ids out again after a restored backup or a
    /// failover that lost commits, and with that the end of one sign-in would meet another.
    public static func random() -> SignInID { SignInID(.random(in: 1...Int64.max)) }
}

/// A place in a room's log: 1, 2, 3 … with no gap. 0 stands before the first event.
public typealias Seq = Int64
