import ChatEvents
import CommonUtil
import PostgresClient

/// How a message stands in a row. Columns are read by position, in this order.
extension Message {
    static let columns = """
        messages.message_id, messages.room_id, messages.seq, messages.sender_id, messages.type, messages.content,
        messages.sent_at, messages.updated_at, messages.reply_to, messages.client_message_id, messages.is_edited,
        messages.is_deleted
        """
    static let columnCount = 12

    init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
        self.init(
            messageID: MessageID(try row.decode(column: column)),
            roomID: RoomID(verified: try row.decode(column: column + 1)),
            seq: try row.decode(column: column + 2),
            senderID: try row.userID(column: column + 3),
            type: try row.enumValue(column: column + 4),
            contentJSON: try row.decode(column: column + 5),
            sentAt: try row.timestamp(column: column + 6),
            updatedAt: try row.optionalTimestamp(column: column + 7),
            replyToMessageID: try row.decode(column: column + 8, as: Int64?.self).map(MessageID.init(_:)),
            clientMessageID: try row.decode(column: column + 9),
            isEdited: try row.decode(column: column + 10),
            isDeleted: try row.decode(column: column + 11))
    }

    /// - Returns: `nil` where an outer join found no message.
    init?(optional row: PostgresRow, from column: Int) throws(PostgresError) {
        guard try row.decode(column: column, as: Int64?.self) != nil else { return nil }
        try self.init(row, from: column)
    }
}
