/// A value for a `$n` of a statement, in PostgreSQL's binary format, with its type.
///
/// The type matters: a parameter compared with a `bigint` column is an ``int8(_:)-(Int64?)``.
public struct PostgresParameter: Sendable, Hashable {
    let type: PostgresType
    /// Nil is NULL.
    let bytes: [UInt8]?

    private init(_ type: PostgresType, _ bytes: [UInt8]?) {
        self.type = type
        self.bytes = bytes
    }

    private init<Value>(_ type: PostgresType, _ value: Value?, _ encode: (Value, inout [UInt8]) -> Void) {
        self.init(
            type,
            value.map { value in
                var bytes: [UInt8] = []
                encode(value, &bytes)
                return bytes
            })
    }

    // MARK: Scalars

    /// A `bigint`.
    public static func int8(_ value: Int64?) -> Self { Self(.int8, value, BinaryEncoding.append(_:to:)) }

    /// A `bigint`.
    public static func int8(_ value: Int) -> Self { int8(Int64(value)) }

    /// An `integer`.
    public static func int4(_ value: Int32?) -> Self { Self(.int4, value, BinaryEncoding.append(_:to:)) }

    /// A `boolean`.
    public static func bool(_ value: Bool?) -> Self { Self(.bool, value, BinaryEncoding.append(_:to:)) }

    /// A `text`; also for `varchar`, `json` and `jsonb` columns, with a cast in the SQL for the latter two.
    public static func text(_ value: String?) -> Self { Self(.text, value, BinaryEncoding.append(_:to:)) }

    /// A `bytea`.
    public static func bytea(_ value: [UInt8]?) -> Self { Self(.bytea, value) }

    /// A `timestamptz`.
    public static func timestamptz(_ value: PostgresTimestamp?) -> Self {
        Self(.timestamptz, value, BinaryEncoding.append(_:to:))
    }

    /// A `timestamptz` in microseconds since the Unix epoch.
    public static func timestamptz(microsecondsSinceEpoch value: Int64?) -> Self {
        timestamptz(value.map(PostgresTimestamp.init(microsecondsSinceEpoch:)))
    }

    // MARK: Arrays, for `= ANY($1)` and `unnest($1)`

    /// A `bigint[]`.
    public static func int8Array(_ values: [Int64?]?) -> Self {
        Self(.int8Array, values.map { BinaryEncoding.array($0, of: .int8, BinaryEncoding.append(_:to:)) })
    }

    /// An `integer[]`.
    public static func int4Array(_ values: [Int32?]?) -> Self {
        Self(.int4Array, values.map { BinaryEncoding.array($0, of: .int4, BinaryEncoding.append(_:to:)) })
    }

    /// A `text[]`.
    public static func textArray(_ values: [String?]?) -> Self {
        Self(.textArray, values.map { BinaryEncoding.array($0, of: .text, BinaryEncoding.append(_:to:)) })
    }

    /// A `boolean[]`.
    public static func boolArray(_ values: [Bool?]?) -> Self {
        Self(.boolArray, values.map { BinaryEncoding.array($0, of: .bool, BinaryEncoding.append(_:to:)) })
    }

    /// A `timestamptz[]`, in microseconds since the Unix epoch.
    public static func timestamptzArray(microsecondsSinceEpoch values: [Int64?]?) -> Self {
        let times = values?.map { $0.map(PostgresTimestamp.init(microsecondsSinceEpoch:)) }
        return Self(
            .timestamptzArray,
            times.map { BinaryEncoding.array($0, of: .timestamptz, BinaryEncoding.append(_:to:)) })
    }

    /// A `bytea[]`.
    public static func byteaArray(_ values: [[UInt8]?]?) -> Self {
        Self(.byteaArray, values.map { BinaryEncoding.array($0, of: .bytea, BinaryEncoding.append(_:to:)) })
    }
}

/// Encodes values in PostgreSQL's binary format, which the `…recv` functions of the server read. Big-endian throughout.
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

/// The parameters of one command as libpq takes them. Reused from command to command.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    private var offsets: [Int?] = []
    private var pointers: [UnsafePointer<CChar>?] = []
    private var lengths: [CInt] = []
    private var formats: [CInt] = []

    /// Calls `body` with values, lengths and formats (all binary). The pointers are valid during the call.
    mutating func withParameters<Value>(
        _ parameters: [PostgresParameter],
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<CInt>?, UnsafePointer<CInt>?
        ) -> Value
    ) -> Value {
        bytes.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        pointers.removeAll(keepingCapacity: true)
        for parameter in parameters {
            offsets.append(parameter.bytes == nil ? nil : bytes.count)
            lengths.append(CInt(clamping: parameter.bytes?.count ?? 0))
            if let value = parameter.bytes { bytes.append(contentsOf: value) }
        }
        // An empty value needs an address too: nil would be NULL.
        bytes.append(0)
        while formats.count < parameters.count { formats.append(1) }
        return bytes.withUnsafeBytes { buffer in
            let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            for offset in offsets { pointers.append(offset.flatMap { base?.advanced(by: $0) }) }
            return pointers.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}
