/// PostgreSQL's binary format, outward: what the `…recv` functions of the server read. Big-endian throughout.
enum BinaryEncoding {
    static func integer(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    static func bool(_ value: Bool) -> [UInt8] { [value ? 1 : 0] }

    static func text(_ value: String) -> [UInt8] { Array(value.utf8) }

    static func timestamp(_ value: PostgresTimestamp) -> [UInt8] { integer(value.wireValue) }

    /// One dimension with lower bound 1 (server source, `array_recv`): dimensions, null flag, element type, length,
    /// lower bound, then each element as a length (-1 for NULL) and its bytes.
    static func array<Element>(
        _ elements: [Element?], of type: PostgresType, _ encode: (Element) -> [UInt8]
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + elements.count * 12)
        func append(_ value: Int32) { withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) } }
        append(elements.isEmpty ? 0 : 1)
        append(elements.contains { $0 == nil } ? 1 : 0)
        append(Int32(bitPattern: type.rawValue))
        guard !elements.isEmpty else { return bytes }
        append(Int32(clamping: elements.count))
        append(1)
        for element in elements {
            guard let element else {
                append(-1)
                continue
            }
            let encoded = encode(element)
            append(Int32(clamping: encoded.count))
            bytes.append(contentsOf: encoded)
        }
        return bytes
    }
}
