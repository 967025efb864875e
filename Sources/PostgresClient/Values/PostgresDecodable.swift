import FoundationEssentials

/// A Swift type that a column can be read as.
public protocol PostgresDecodable {
    /// Reads one value; throws ``PostgresError/decoding(_:)`` if the column's type or a NULL does not fit.
    static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self

    /// Reads a whole array of this type. `UInt8` differs from the rest: its array is a `bytea`.
    static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self]
}

extension PostgresDecodable {
    public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self] {
        try cell.elements([Self].self) { element throws(PostgresError) in try Self.decode(element) }
    }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self {
        try Element.decodeArray(cell)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self {
        guard cell.bytes != nil else { return nil }
        return try Wrapped.decode(cell)
    }
}

// MARK: Numbers: `smallint`, `integer` and `bigint` widen, nothing narrows

extension Int64: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int64 {
        try cell.integer(Self.self)
    }
}

extension Int: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int {
        guard let value = Int(exactly: try cell.integer(Self.self)) else { throw cell.mismatch(Self.self) }
        return value
    }
}

extension Int32: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int32 {
        guard cell.type != .int8 else { throw cell.mismatch(Self.self) }
        return Int32(truncatingIfNeeded: try cell.integer(Self.self))
    }
}

extension Double: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Double {
        let bytes = try cell.required(Self.self)
        switch (cell.type, bytes.count) {
        case (.float8, 8):
            return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
        case (.float4, 4):
            return Double(Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))))
        default:
            throw cell.mismatch(Self.self)
        }
    }
}

extension Bool: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Bool {
        let bytes = try cell.required(Self.self)
        guard cell.type == .bool, bytes.count == 1 else { throw cell.mismatch(Self.self) }
        return bytes[0] != 0
    }
}

// MARK: Text, bytes, time

extension String: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> String {
        var bytes = try cell.required(Self.self)
        switch cell.type {
        case .text, .varchar, .bpchar, .name, .char, .json, .unknown:
            break
        case .jsonb:
            // `jsonb_send` puts its version number, 1, in front of the text.
            guard bytes.first == 1 else { throw cell.mismatch(Self.self) }
            bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
        default:
            throw cell.mismatch(Self.self)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// `[UInt8]` is `bytea`; a single one is PostgreSQL's internal `"char"`.
extension UInt8: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> UInt8 {
        let bytes = try cell.required(Self.self)
        guard cell.type == .char, bytes.count == 1 else { throw cell.mismatch(Self.self) }
        return bytes[0]
    }

    public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [UInt8] {
        let bytes = try cell.required([UInt8].self)
        guard cell.type == .bytea else { throw cell.mismatch([UInt8].self) }
        return Array(bytes)
    }
}

extension PostgresTimestamp: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> PostgresTimestamp {
        let bytes = try cell.required(Self.self)
        guard cell.type == .timestamptz, bytes.count == 8,
            let value = Self(wireValue: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)))
        else { throw cell.mismatch(Self.self) }
        return value
    }
}

extension Date: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Date {
        try PostgresTimestamp.decode(cell).date
    }
}
