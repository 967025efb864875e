import ChatEvents
import CommonUtil
import PostgresClient

/// Messages that are there, for those who may see them.
public struct MessageRepository: Sendable {
    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    /// - Returns: `nil` also for a message of a room that this reader may not know of.
    public func message(_ messageID: MessageID, for userID: UserID) async throws -> Message? {
        try await database.query(Self.select, .int8(messageID.rawValue), .int8(userID.rawValue)).first
            .map { try Message($0) }
    }

    /// A stretch of a room's messages.
    /// - Parameters:
    ///   - before: only messages of a lower `seq`.
    ///   - after: only messages of a higher `seq`; the stretch then ascends, else it descends.
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
    private static let selectAscending = stretch(order: "seq")
    private static let selectDescending = stretch(order: "seq DESC")

    private static func stretch(order: String) -> PostgresStatement {
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
