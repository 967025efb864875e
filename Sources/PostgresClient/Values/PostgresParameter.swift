import FoundationEssentials

/// A value for a `$n` of a statement, in PostgreSQL's binary format, with its type.
///
/// The type counts: a parameter compared with a `bigint` column is an ``int8(_:)``.
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

    public static func int8(_ value: Int64?) -> Self { Self(.int8, value, BinaryEncoding.append(_:to:)) }

    public static func int8(_ value: Int) -> Self { int8(Int64(value)) }

    public static func int4(_ value: Int32?) -> Self { Self(.int4, value, BinaryEncoding.append(_:to:)) }

    public static func bool(_ value: Bool?) -> Self { Self(.bool, value, BinaryEncoding.append(_:to:)) }

    /// Also for `varchar`, `json` and `jsonb` columns, with a cast in the SQL for the latter two.
    public static func text(_ value: String?) -> Self { Self(.text, value, BinaryEncoding.append(_:to:)) }

    public static func bytea(_ value: [UInt8]?) -> Self { Self(.bytea, value) }

    public static func timestamptz(_ value: PostgresTimestamp?) -> Self {
        Self(.timestamptz, value, BinaryEncoding.append(_:to:))
    }

    /// Rounded to the microsecond.
    public static func timestamptz(_ value: Date?) -> Self { timestamptz(value.map(PostgresTimestamp.init)) }

    public static func timestamptz(microsecondsSinceEpoch value: Int64?) -> Self {
        timestamptz(value.map(PostgresTimestamp.init(microsecondsSinceEpoch:)))
    }

    // MARK: Arrays, for `= ANY($1)` and `unnest($1)`

    public static func int8Array(_ values: [Int64?]?) -> Self {
        Self(.int8Array, values.map { BinaryEncoding.array($0, of: .int8, BinaryEncoding.append(_:to:)) })
    }

    public static func int4Array(_ values: [Int32?]?) -> Self {
        Self(.int4Array, values.map { BinaryEncoding.array($0, of: .int4, BinaryEncoding.append(_:to:)) })
    }

    public static func textArray(_ values: [String?]?) -> Self {
        Self(.textArray, values.map { BinaryEncoding.array($0, of: .text, BinaryEncoding.append(_:to:)) })
    }

    public static func boolArray(_ values: [Bool?]?) -> Self {
        Self(.boolArray, values.map { BinaryEncoding.array($0, of: .bool, BinaryEncoding.append(_:to:)) })
    }

    public static func byteaArray(_ values: [[UInt8]?]?) -> Self {
        Self(.byteaArray, values.map { BinaryEncoding.array($0, of: .bytea, BinaryEncoding.append(_:to:)) })
    }

    public static func timestamptzArray(_ values: [PostgresTimestamp?]?) -> Self {
        Self(.timestamptzArray, values.map { BinaryEncoding.array($0, of: .timestamptz, BinaryEncoding.append(_:to:)) })
    }

    public static func timestamptzArray(_ values: [Date?]) -> Self {
        timestamptzArray(values.map { $0.map(PostgresTimestamp.init) })
    }
}
