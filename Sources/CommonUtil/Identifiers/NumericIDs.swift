/// A user. Positive; given by the system server, or in `trusted` mode by the caller.
public struct UserID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// Reads the decimal form that headers, paths and token subjects carry.
    /// - Returns: `nil` unless `text` is a positive 64-bit integer without sign or padding.
    public init?(text: some StringProtocol) {
        guard let value = parsePositive(text) else { return nil }
        rawValue = value
    }

    public var description: String { String(rawValue) }
    public static func < (a: UserID, b: UserID) -> Bool { a.rawValue < b.rawValue }
}

/// A message, unique in the whole system. Positive; given by PostgreSQL, ascending but with gaps.
public struct MessageID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// - Returns: `nil` unless `text` is a positive 64-bit integer without sign or padding.
    public init?(text: some StringProtocol) {
        guard let value = parsePositive(text) else { return nil }
        rawValue = value
    }

    public var description: String { String(rawValue) }
    public static func < (a: MessageID, b: MessageID) -> Bool { a.rawValue < b.rawValue }
}

/// A place in a room's log: 1, 2, 3 … with no gap. 0 stands before the first event.
public typealias Seq = Int64

/// Digits only: `Int64("+5")` and `Int64("007")` would let one user appear under several spellings.
private func parsePositive(_ text: some StringProtocol) -> Int64? {
    guard let first = text.utf8.first, first != UInt8(ascii: "0"),
        text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return Int64(text)
}
