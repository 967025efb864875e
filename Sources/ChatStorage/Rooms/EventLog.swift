import ChatEvents
import CommonUtil
import PostgresClient

/// Reads the logs of rooms: new messages and all other events, merged by `seq`. The log is the source of truth for what
/// happened in a room.
public struct EventLog: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to read from.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Reads the events after a cursor, ascending and without a gap. An event about a message has its present content.
    /// - Returns: at most `limit` events, and whether there are more.
    public func events(
        of roomID: RoomID, after seq: Seq, limit: Int
    ) async throws -> (events: [RoomEvent], hasMore: Bool) {
        let rows = try await database.query(Self.select, .text(roomID.rawValue), .int8(seq), .int8(limit + 1))
        return (try rows.prefix(limit).map { try Self.event($0, from: 0, of: roomID) }, rows.count > limit)
    }

    /// As ``events(of:after:limit:)``, for a reader whose access is checked in the same statement.
    /// - Returns: at most `limit` events.
    public func events(
        of roomID: RoomID, for userID: UserID, after seq: Seq, limit: Int
    ) async throws -> RoomReading<RoomEvent> {
        let rows = try await database.query(
            Self.selectForReader, .text(roomID.rawValue), .int8(seq), .int8(limit), .int8(userID.rawValue))
        return try RoomReading(rows) { row in
            guard try row.decode(column: 1, as: Int64?.self) != nil else { return nil }
            return try Self.event(row, from: 1, of: roomID)
        }
    }

    /// The parameters of ``insert`` for an event.
    static func parameters(for event: RoomEvent, by actorID: UserID, at: Timestamp) -> [PostgresParameter] {
        var user: UserID?
        var role: MemberRole?
        var name: String?
        var message: Message?
        switch event.change {
        case .memberJoined(let userID, let newRole, _, _), .memberRoleChanged(let userID, let newRole, _, _):
            (user, role) = (userID, newRole)
        case .memberLeft(let userID, _, _): user = userID
        case .roomUpdated(let newName, _, _), .roomArchived(let newName, _, _): name = newName
        case .message(let changed), .messageEdited(let changed), .messageDeleted(let changed): message = changed
        }
        return [
            .text(event.roomID.rawValue), .int8(event.seq), .text(event.change.type.rawValue),
            .int8(actorID.rawValue), .timestamptz(at), .int8(user?.rawValue), .text(role?.rawValue), .text(name),
            .int8(message?.messageID.rawValue),
        ]
    }

    private static func event(_ row: PostgresRow, from column: Int, of roomID: RoomID) throws -> RoomEvent {
        let type = try row.enumValue(column: column + 1, as: EventType.self)
        return RoomEvent(
            roomID: roomID, seq: try row.decode(column: column), change: try change(row, from: column, type: type))
    }

    private static func change(_ row: PostgresRow, from column: Int, type: EventType) throws -> RoomChange {
        let messageColumn = column + 7
        switch type {
        case .message: return .message(try Message(row, from: messageColumn))
        case .messageEdited: return .messageEdited(try Message(row, from: messageColumn))
        case .messageDeleted: return .messageDeleted(try Message(row, from: messageColumn))
        default: break
        }
        let by = try row.userID(column: column + 2)
        let at = try row.timestamp(column: column + 3)
        func user() throws -> UserID { try row.userID(column: column + 4) }
        func role() throws -> MemberRole { try row.enumValue(column: column + 5) }
        func name() throws -> String { try row.decode(column: column + 6) }
        switch type {
        case .memberJoined: return .memberJoined(try user(), role: try role(), by: by, at: at)
        case .memberLeft: return .memberLeft(try user(), by: by, at: at)
        case .memberRoleChanged: return .memberRoleChanged(try user(), role: try role(), by: by, at: at)
        case .roomUpdated: return .roomUpdated(name: try name(), by: by, at: at)
        case .roomArchived: return .roomArchived(name: try name(), by: by, at: at)
        default: throw PostgresError.decoding("a log never contains '\(type.rawValue)'")
        }
    }

    static let insert = PostgresStatement(
        """
        INSERT INTO room_events (room_id, seq, type, actor_id, at, user_id, role, name, message_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """)

    private static let columns = """
        log.seq, log.type, log.actor_id, log.at, log.user_id, log.role, log.name, \(Message.columns)
        """

    private static let select = PostgresStatement(
        """
        SELECT \(columns) FROM \(log()) AS log
        LEFT JOIN messages ON messages.message_id = log.message_id
        ORDER BY log.seq
        """)
    private static let selectForReader = PostgresStatement(
        """
        SELECT access.is_visible, \(columns)
        FROM \(RoomAccess.isVisible(room: "$1", user: "$4")) AS access
        LEFT JOIN LATERAL \(log(where: "access.is_visible AND")) AS log ON true
        LEFT JOIN messages ON messages.message_id = log.message_id
        ORDER BY log.seq
        """)

    /// Each half is read by its own (room_id, seq) index and stops after the limit.
    private static func log(where condition: String = "") -> String {
        """
        (
            (SELECT seq, '\(EventType.message.rawValue)' AS type, NULL::bigint AS actor_id, NULL::timestamptz AS at,
                NULL::bigint AS user_id, NULL AS role, NULL AS name, message_id
            FROM messages WHERE \(condition) room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3)
            UNION ALL
            (SELECT seq, type, actor_id, at, user_id, role, name, message_id
            FROM room_events WHERE \(condition) room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3)
            ORDER BY seq LIMIT $3
        )
        """
    }
}
