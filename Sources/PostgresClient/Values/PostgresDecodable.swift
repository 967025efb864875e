/// A Swift type that a column can be decoded as.
public protocol PostgresDecodable {
    /// Decodes one value.
    /// - Throws: ``PostgresError/decoding(_:)`` if the column's type or a NULL does not fit.
    static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self

    /// Decodes an array of this type. The array of `UInt8` is a `bytea`.
    static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self]
}

extension PostgresDecodable {
    /// Decodes a one-dimensional array.
    public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [Self] {
        try cell.elements([Self].self) { element throws(PostgresError) in try Self.decode(element) }
    }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    /// Decodes an array.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self {
        try Element.decodeArray(cell)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Decodes a value, or NULL as `nil`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Self {
        guard cell.bytes != nil else { return nil }
        return try Wrapped.decode(cell)
    }
}

// MARK: Numbers: `smallint`, `integer` and `bigint` widen, nothing narrows

extension Int64: PostgresDecodable {
    /// Decodes a `smallint`, `integer` or `bigint`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int64 {
        try cell.integer(Self.self)
    }
}

extension Int: PostgresDecodable {
    /// Decodes a `smallint`, `integer` or `bigint`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int {
        guard let value = Int(exactly: try cell.integer(Self.self)) else { throw cell.mismatch(Self.self) }
        return value
    }
}

extension Int32: PostgresDecodable {
    /// Decodes a `smallint` or `integer`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Int32 {
        guard cell.type != .int8 else { throw cell.mismatch(Self.self) }
        return Int32(truncatingIfNeeded: try cell.integer(Self.self))
    }
}

extension Bool: PostgresDecodable {
    /// Decodes a `boolean`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> Bool {
        let bytes = try cell.required(Self.self)
        guard cell.type == .bool, bytes.count == 1 else { throw cell.mismatch(Self.self) }
        return bytes[0] != 0
    }
}

// MARK: Text, bytes, time

extension String: PostgresDecodable {
    /// Decodes a text type, `json` or `jsonb`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> String {
        var bytes = try cell.required(Self.self)
        switch cell.type {
        case .text, .varchar, .bpchar, .name, .json, .unknown:
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

/// `[UInt8]` is `bytea`; no type is read as a single one.
extension UInt8: PostgresDecodable {
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> UInt8 { throw cell.mismatch(Self.self) }

    /// Decodes a `bytea`.
    public static func decodeArray(_ cell: PostgresCell) throws(PostgresError) -> [UInt8] {
        let bytes = try cell.required([UInt8].self)
        guard cell.type == .bytea else { throw cell.mismatch([UInt8].self) }
        return Array(bytes)
    }
}

extension PostgresTimestamp: PostgresDecodable {
    /// Decodes a `timestamptz`, except for `infinity`.
    public static func decode(_ cell: PostgresCell) throws(PostgresError) -> PostgresTimestamp {
        let bytes = try cell.required(Self.self)
        guard cell.type == .timestamptz, bytes.count == 8,
            let value = Self(wireValue: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)))
        else { throw cell.mismatch(Self.self) }
        return value
    }
}

/// One value of a row: its type and its bytes in binary format.
///
/// It points into the row's result and is only valid while a ``PostgresDecodable`` decodes it.
public struct PostgresCell {
    let type: PostgresType
    /// `nil` is NULL.
    let bytes: UnsafeRawBufferPointer?

    /// The bytes of a value that may not be NULL.
    func required(_ wanted: Any.Type) throws(PostgresError) -> UnsafeRawBufferPointer {
        guard let bytes else { throw .decoding("NULL where \(wanted) was expected") }
        return bytes
    }

    /// The error for a column of another type.
    func mismatch(_ wanted: Any.Type) -> PostgresError {
        .decoding("\(type) where \(wanted) was expected")
    }

    /// A signed integer of any of PostgreSQL's three widths.
    func integer(_ wanted: Any.Type) throws(PostgresError) -> Int64 {
        let bytes = try required(wanted)
        switch (type, bytes.count) {
        case (.int8, 8): return Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case (.int4, 4): return Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case (.int2, 2): return Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        default: throw mismatch(wanted)
        }
    }

    /// The elements of a one-dimensional array (server source, `array_send`).
    func elements<Element>(
        _ wanted: Any.Type, _ decode: (PostgresCell) throws(PostgresError) -> Element
    ) throws(PostgresError) -> [Element] {
        let bytes = try required(wanted)
        guard PostgresType.arrays.contains(type) else { throw mismatch(wanted) }
        var reader = BinaryReader(bytes)
        let dimensions = try reader.int32()
        _ = try reader.int32()
        let elementType = PostgresType(rawValue: UInt32(bitPattern: try reader.int32()))
        guard dimensions != 0 else { return [] }
        guard dimensions == 1 else { throw .decoding("an array of \(dimensions) dimensions") }
        let count = Int(try reader.int32())
        _ = try reader.int32()
        // Four bytes of length for each at least: a wrong count must not reserve memory.
        guard count >= 0, count <= bytes.count / 4 else { throw .decoding("an array of \(count) elements") }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count {
            let length = Int(try reader.int32())
            let element = length < 0 ? nil : try reader.bytes(length)
            elements.append(try decode(PostgresCell(type: elementType, bytes: element)))
        }
        return elements
    }
}

/// A cursor over bytes in network order that never reads past their end.
struct BinaryReader {
    private let buffer: UnsafeRawBufferPointer
    private var offset = 0

    init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    mutating func int32() throws(PostgresError) -> Int32 {
        guard buffer.count - offset >= 4 else { throw .decoding("a truncated value") }
        defer { offset += 4 }
        return Int32(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    }

    mutating func bytes(_ count: Int) throws(PostgresError) -> UnsafeRawBufferPointer {
        guard count >= 0, buffer.count - offset >= count else { throw .decoding("a truncated value") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count])
    }
}
