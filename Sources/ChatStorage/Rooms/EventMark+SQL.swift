import ChatEvents
import CommonUtil
import PostgresClient

/// Marks of stored events, read by key. A statement joins the row that determines a mark and selects its columns; the mark
/// is computed here.
extension EventMark {
    static let columnCount = 5

    /// A join of at most one row, under an alias: what the row of an event holds for good. Each half is a lookup by
    /// (room_id, seq).
    /// - Parameters:
    ///   - room: an SQL expression for the room's id.
    ///   - seq: an SQL expression for the event's `seq`; NULL finds nothing.
    static func join(_ alias: String, room: String, seq: String) -> String {
        """
        LEFT JOIN LATERAL (
            SELECT '\(EventType.message.rawValue)' AS type, message_id AS subject_id, sender_id AS actor_id,
                sent_at AS at, client_message_id
            FROM messages WHERE room_id = \(room) AND seq = \(seq)
            UNION ALL
            SELECT type, coalesce(message_id, user_id), actor_id, at, NULL
            FROM room_events WHERE room_id = \(room) AND seq = \(seq)
            LIMIT 1
        ) AS \(alias) ON true
        """
    }

    /// The columns of a ``join(_:room:seq:)``.
    static func columns(of alias: String) -> String {
        "\(alias).type, \(alias).subject_id, \(alias).actor_id, \(alias).at, \(alias).client_message_id"
    }

    /// The columns where there is no event.
    static let noColumns = "NULL::text, NULL::bigint, NULL::bigint, NULL::timestamptz, NULL::text"

    /// Reads the columns.
    /// - Returns: `nil` if the join found no event.
    init?(_ row: PostgresRow, from column: Int, of roomID: RoomID, seq: Seq) throws(PostgresError) {
        guard let type = try row.optionalEnumValue(column: column, as: EventType.self) else { return nil }
        self.init(
            of: type, in: roomID, seq: seq, about: try row.decode(column: column + 1),
            by: try row.userID(column: column + 2), at: try row.timestamp(column: column + 3),
            clientMessageID: try row.decode(column: column + 4))
    }
}

/// Where a room's log is.
public struct LogPosition: Equatable, Sendable {
    /// The `seq` of the last event; 0 in a log without events.
    public let head: Seq
    /// The mark of the last event; `nil` in a log without events.
    public let headMark: EventMark?
    /// The mark at the `seq` that was asked for; `nil` if the log has no such event.
    public let mark: EventMark?

    /// Describes a position.
    public init(head: Seq, headMark: EventMark?, mark: EventMark?) {
        self.head = head
        self.headMark = headMark
        self.mark = mark
    }
}

extension EventLog {
    /// Number of interruptions of the database's connections. If it has not changed since something was read, PostgreSQL
    /// has not been set back.
    public var interruptions: Int { database.client.brokenConnections }

    /// Reads where logs are, and marks of events, by key and in one statement. A room may be asked about many times.
    /// - Returns: in the order of `asked`; `nil` if there is no such room.
    public func positions(at asked: [(roomID: RoomID, seq: Seq)]) async throws -> [LogPosition?] {
        guard !asked.isEmpty else { return [] }
        let rows = try await database.query(
            Self.selectPositions, .textArray(asked.map(\.roomID.rawValue)), .int8Array(asked.map(\.seq)))
        var positions = [LogPosition?](repeating: nil, count: asked.count)
        for row in rows {
            let index = try row.decode(column: 0, as: Int.self) - 1
            let (roomID, seq) = asked[index]
            let head = try row.decode(column: 1, as: Seq.self)
            let headMark = try EventMark(row, from: 2, of: roomID, seq: head)
            let mark = try EventMark(row, from: 2 + EventMark.columnCount, of: roomID, seq: seq)
            positions[index] = LogPosition(head: head, headMark: headMark, mark: seq == head ? headMark : mark)
        }
        return positions
    }

    // Lateral with a limit, so that each stays a lookup by key under any statistics. Most rooms are asked about at their
    // head, which is looked up once.
    static let selectPositions = PostgresStatement(
        """
        SELECT asked.ordinal, rooms.last_seq, \(EventMark.columns(of: "head")), \(EventMark.columns(of: "event"))
        FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked (room_id, seq, ordinal)
        CROSS JOIN LATERAL (SELECT last_seq FROM rooms WHERE room_id = asked.room_id LIMIT 1) AS rooms
        \(EventMark.join("head", room: "asked.room_id", seq: "rooms.last_seq"))
        \(EventMark.join("event", room: "asked.room_id", seq: "nullif(asked.seq, rooms.last_seq)"))
        """)
}
