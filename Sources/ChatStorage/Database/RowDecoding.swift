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
    func word<Word: RawRepresentable<String>>(column: Int, as _: Word.Type = Word.self) throws(PostgresError) -> Word {
        guard let word = try optionalWord(column: column, as: Word.self) else {
            throw .decoding("\(Word.self) is never NULL")
        }
        return word
    }

    /// Reads a text that is one of a known set of words, or NULL. An unknown word is an error, never taken for none.
    func optionalWord<Word: RawRepresentable<String>>(
        column: Int, as _: Word.Type = Word.self
    ) throws(PostgresError) -> Word? {
        guard let text = try decode(column: column, as: String?.self) else { return nil }
        guard let word = Word(rawValue: text) else { throw .decoding("\(Word.self) is never '\(text)'") }
        return word
    }
}

extension PostgresParameter {
    static func timestamptz(_ timestamp: Timestamp) -> Self {
        .timestamptz(microsecondsSinceEpoch: timestamp.microseconds)
    }
}
