import ChatEvents
import CommonUtil
import PostgresClient

/// Reads messages on behalf of a user, within the rooms that this user may read.
public struct MessageRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to read from.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Reads one message.
    /// - Returns: `nil` also for a message of a room that is hidden from this user.
    public func message(_ messageID: MessageID, for userID: UserID) async throws -> Message? {
        try await database.query(Self.select, .int8(messageID.rawValue), .int8(userID.rawValue)).first
            .map { try Message($0) }
    }

    /// Whether a message was stored under a sender's idempotency key.
    public func isStored(_ clientMessageID: String, of senderID: UserID) async throws -> Bool {
        try await database.query(Self.selectByKey, .int8(senderID.rawValue), .text(clientMessageID)).first != nil
    }

    /// Reads a page of a room's messages.
    /// - Parameters:
    ///   - before: only messages of a lower `seq`.
    ///   - after: only messages of a higher `seq`; the page then ascends, else it descends.
    /// - Returns: at most `limit` messages.
    public func history(
        of roomID: RoomID, for userID: UserID, before: Seq?, after: Seq?, limit: Int
    ) async throws -> RoomReading<Message> {
        let statement = after == nil ? Self.selectDescending : Self.selectAscending
        let rows = try await database.query(
            statement, .text(roomID.rawValue), .int8(userID.rawValue), .int8(after ?? 0), .int8(before ?? .max),
            .int8(limit))
        return try RoomReading(rows) { try Message(optional: $0, from: 1) }
    }

    private static let select = PostgresStatement(
        """
        SELECT \(Message.columns) FROM messages
        CROSS JOIN LATERAL \(RoomAccess.isVisible(room: "messages.room_id", user: "$2")) AS access
        WHERE messages.message_id = $1 AND access.is_visible
        """)
    private static let selectAscending = page(order: "seq")
    private static let selectByKey = PostgresStatement(
        "SELECT FROM messages WHERE sender_id = $1 AND client_message_id = $2")
    private static let selectDescending = page(order: "seq DESC")

    private static func page(order: String) -> PostgresStatement {
        PostgresStatement(
            """
            SELECT access.is_visible, \(Message.columns)
            FROM \(RoomAccess.isVisible(room: "$1", user: "$2")) AS access
            LEFT JOIN LATERAL (
                SELECT * FROM messages WHERE access.is_visible AND room_id = $1 AND seq > $3 AND seq < $4
                ORDER BY \(order) LIMIT $5
            ) AS messages ON true
            ORDER BY \(order)
            """)
    }
}

/// A message as a row. Columns are read by position, in this order.
extension Message {
    static let columns = """
        messages.message_id, messages.room_id, messages.seq, messages.sender_id, messages.type, messages.content,
        messages.sent_at, messages.updated_at, messages.reply_to, messages.client_message_id, messages.is_edited,
        messages.is_deleted
        """

    /// - Parameter column: the position of the message's first column.
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

    /// - Returns: `nil` if an outer join found no message.
    init?(optional row: PostgresRow, from column: Int) throws(PostgresError) {
        guard try row.decode(column: column, as: Int64?.self) != nil else { return nil }
        try self.init(row, from: column)
    }
}
