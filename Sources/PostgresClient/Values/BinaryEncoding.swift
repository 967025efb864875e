/// PostgreSQL's binary format, outward: what the `…recv` functions of the server read. Big-endian throughout.
///
/// Appends to the bytes of a parameter, which for an array holds all of its elements.
enum BinaryEncoding {
    static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    static func append(_ value: Bool, to bytes: inout [UInt8]) { bytes.append(value ? 1 : 0) }

    static func append(_ value: String, to bytes: inout [UInt8]) { bytes.append(contentsOf: value.utf8) }

    static func append(_ value: PostgresTimestamp, to bytes: inout [UInt8]) { append(value.wireValue, to: &bytes) }

    static func append(_ value: [UInt8], to bytes: inout [UInt8]) { bytes.append(contentsOf: value) }

    /// One dimension with lower bound 1 (server source, `array_recv`): dimensions, null flag, element type, length,
    /// lower bound, then each element as a length (-1 for NULL) and its bytes.
    static func array<Element>(
        _ elements: [Element?], of type: PostgresType, _ encode: (Element, inout [UInt8]) -> Void
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + elements.count * 20)
        append(elements.isEmpty ? 0 : 1 as Int32, to: &bytes)
        append(elements.contains { $0 == nil } ? 1 : 0 as Int32, to: &bytes)
        append(type.rawValue, to: &bytes)
        guard !elements.isEmpty else { return bytes }
        append(Int32(clamping: elements.count), to: &bytes)
        append(1 as Int32, to: &bytes)
        for element in elements {
            let place = bytes.count
            append(-1 as Int32, to: &bytes)
            guard let element else { continue }
            encode(element, &bytes)
            let length = Int32(clamping: bytes.count - place - 4)
            for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * index)) }
        }
        return bytes
    }
}
