import ChatEvents
import CommonUtil
import PostgresClient

/// Messages that are there.
public struct MessageRepository: Sendable {
    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    public func message(_ messageID: MessageID) async throws -> Message? {
        try await database.query(Self.select, .int8(messageID.rawValue)).first.map { try Message($0) }
    }

    /// A stretch of a room's messages.
    /// - Parameters:
    ///   - before: only messages of a lower `seq`.
    ///   - after: only messages of a higher `seq`; the stretch then ascends, else it descends.
    /// - Returns: at most `limit` messages, and whether there are more in that direction.
    public func history(
        of roomID: RoomID, before: Seq?, after: Seq?, limit: Int
    ) async throws -> (messages: [Message], hasMore: Bool) {
        let statement = after == nil ? Self.selectDescending : Self.selectAscending
        let rows = try await database.query(
            statement, .text(roomID.rawValue), .int8(after ?? 0), .int8(before ?? .max), .int8(limit + 1))
        return (try rows.prefix(limit).map { try Message($0) }, rows.count > limit)
    }

    private static let select = PostgresStatement(
        "SELECT \(Message.columns) FROM messages WHERE message_id = $1")
    private static let stretch = """
        SELECT \(Message.columns) FROM messages WHERE room_id = $1 AND seq > $2 AND seq < $3
        """
    private static let selectAscending = PostgresStatement("\(stretch) ORDER BY seq LIMIT $4")
    private static let selectDescending = PostgresStatement("\(stretch) ORDER BY seq DESC LIMIT $4")
}
