/// One value of a row, as it came: its type and its bytes in binary format.
///
/// It points into the row's result and is only good while a ``PostgresDecodable`` reads it; do not keep one.
public struct PostgresCell {
    let type: PostgresType
    /// Nil is NULL.
    let bytes: UnsafeRawBufferPointer?

    /// The bytes of a value that may not be NULL.
    func required(_ wanted: Any.Type) throws(PostgresError) -> UnsafeRawBufferPointer {
        guard let bytes else { throw .decoding("NULL where \(wanted) was expected") }
        return bytes
    }

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
