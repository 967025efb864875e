import ChatEvents
import CommonUtil
import PostgresClient

/// Reads the logs of rooms: new messages and all other events, merged by `seq`. The log is the source of truth for what
/// happened in a room.
public struct EventLog: Sendable {
    let database: ChatDatabase

    /// - Parameter database: the database to read from.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Reads the events after a cursor, ascending and without a gap. An event about a message has its present content.
    /// - Parameter limit: of events in the page.
    public func events(of roomID: RoomID, after seq: Seq, limit: Int) async throws -> LogPage {
        let rows = try await database.query(
            Self.select, .text(roomID.rawValue), .int8(seq), .int8(LogPage.rowCount(limit: limit)))
        return LogPage(rows: try rows.map { try Self.event($0, from: 0, of: roomID) }, after: seq, limit: limit)
    }

    /// Reads the rows of a page, as ``events(of:after:limit:)``, for a reader whose access is checked in the same statement.
    /// - Returns: the rows of a ``LogPage``.
    public func rows(
        of roomID: RoomID, for userID: UserID, after seq: Seq, limit: Int
    ) async throws -> RoomReading<RoomEvent> {
        let rows = try await database.query(
            Self.selectForReader, .text(roomID.rawValue), .int8(seq), .int8(LogPage.rowCount(limit: limit)),
            .int8(userID.rawValue))
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
        switch event.change {
        case .memberJoined(let userID, let newRole, _, _), .memberRoleChanged(let userID, let newRole, _, _):
            (user, role) = (userID, newRole)
        case .memberLeft(let userID, _, _): user = userID
        case .roomUpdated(let newName, _, _), .roomArchived(let newName, _, _): name = newName
        case .message, .messageEdited, .messageDeleted: break
        }
        return [
            .text(event.roomID.rawValue), .int8(event.seq), .text(event.change.type.rawValue),
            .int8(actorID.rawValue), .timestamptz(at), .int8(user?.rawValue), .text(role?.rawValue), .text(name),
            .int8(event.change.message?.messageID.rawValue),
        ]
    }

    /// Reads the ``columns`` of an event.
    static func event(_ row: PostgresRow, from column: Int, of roomID: RoomID) throws -> RoomEvent {
        let type = try row.enumValue(column: column + 1, as: EventType.self)
        return RoomEvent(
            roomID: roomID, seq: try row.decode(column: column), change: try change(row, from: column, type: type))
    }

    private static func change(_ row: PostgresRow, from column: Int, type: EventType) throws -> RoomChange {
        let messageColumn = column + 7
        func message() throws -> Message { try Message(row, from: messageColumn) }
        if type == .message { return .message(try message()) }
        let by = try row.userID(column: column + 2)
        let at = try row.timestamp(column: column + 3)
        func user() throws -> UserID { try row.userID(column: column + 4) }
        func role() throws -> MemberRole { try row.enumValue(column: column + 5) }
        func name() throws -> String { try row.decode(column: column + 6) }
        switch type {
        case .messageEdited: return .messageEdited(try message(), by: by, at: at)
        case .messageDeleted: return .messageDeleted(try message(), by: by, at: at)
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

    /// The columns of an event, in a statement that names them `log` and has joined its message as `messages`.
    static let columns = """
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

    /// Each half is read by its own (room_id, seq) index and stops after the limit. The event at the cursor is read, too,
    /// for its mark.
    private static func log(where condition: String = "") -> String {
        """
        (
            (SELECT seq, '\(EventType.message.rawValue)' AS type, NULL::bigint AS actor_id, NULL::timestamptz AS at,
                NULL::bigint AS user_id, NULL AS role, NULL AS name, message_id
            FROM messages WHERE \(condition) room_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3)
            UNION ALL
            (SELECT seq, type, actor_id, at, user_id, role, name, message_id
            FROM room_events WHERE \(condition) room_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3)
            ORDER BY seq LIMIT $3
        )
        """
    }
}

/// A page of a log, with the mark of the event that it was read after.
///
/// A reader that has that event with another mark, or has it where the log has none, knows another log.
public struct LogPage: Equatable, Sendable {
    /// Ascending and without a gap.
    public let events: [RoomEvent]
    /// Whether there are events after the page.
    public let hasMore: Bool
    /// The mark of the event that the page was read after; `nil` if the log has none, and at 0.
    public let mark: EventMark?

    /// Makes a page of the rows that were read for it.
    /// - Parameters:
    ///   - rows: ascending, from the event at `seq` on; ``rowCount(limit:)`` of them, where there are so many.
    ///   - seq: the event that the page is read after.
    ///   - limit: of events in the page.
    public init(rows: [RoomEvent], after seq: Seq, limit: Int) {
        let before = rows.first.flatMap { $0.seq == seq ? $0 : nil }
        let rest = rows.dropFirst(before == nil ? 0 : 1)
        events = Array(rest.prefix(limit))
        hasMore = rest.count > limit
        mark = before?.mark
    }

    /// The rows that are read for a page: the event before it and, by which further events are known, one after it.
    static func rowCount(limit: Int) -> Int { limit + 2 }
}
