import CommonUtil
import PostgresClient

/// Columns as the platform's own types.
extension PostgresRow {
    func timestamp(column: Int) throws(PostgresError) -> Timestamp {
        Timestamp(microseconds: try decode(column: column, as: PostgresTimestamp.self).microsecondsSinceEpoch)
    }

    func optionalTimestamp(column: Int) throws(PostgresError) -> Timestamp? {
        let timestamp = try decode(column: column, as: PostgresTimestamp?.self)
        return timestamp.map { Timestamp(microseconds: $0.microsecondsSinceEpoch) }
    }

    func userID(column: Int) throws(PostgresError) -> UserID { UserID(try decode(column: column, as: Int64.self)) }

    func optionalUserID(column: Int) throws(PostgresError) -> UserID? {
        try decode(column: column, as: Int64?.self).map(UserID.init(_:))
    }

    /// Reads a text that is one of a known set of words.
    func enumValue<Value: RawRepresentable<String>>(column: Int, as _: Value.Type = Value.self) throws(PostgresError)
        -> Value
    {
        guard let value = try optionalEnumValue(column: column, as: Value.self) else {
            throw .decoding("\(Value.self) is never NULL")
        }
        return value
    }

    /// Reads a text that is one of a known set of words, or NULL. An unknown value is an error, never taken for none.
    func optionalEnumValue<Value: RawRepresentable<String>>(
        column: Int, as _: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        guard let text = try decode(column: column, as: String?.self) else { return nil }
        guard let value = Value(rawValue: text) else { throw .decoding("\(Value.self) is never '\(text)'") }
        return value
    }
}

extension PostgresParameter {
    static func timestamptz(_ timestamp: Timestamp) -> Self {
        .timestamptz(microsecondsSinceEpoch: timestamp.microseconds)
    }
}
