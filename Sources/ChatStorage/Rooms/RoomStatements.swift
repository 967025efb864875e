import ChatEvents
import PostgresClient

/// The SQL of ``RoomRepository``.
extension RoomRepository {
    static let insert = PostgresStatement(
        """
        WITH made AS (
            INSERT INTO rooms (room_id, name, type, owner_id, direct_key, member_count, indexed_name)
            VALUES ($1, $2, $3, $4, $5, cardinality($6::bigint[]), $2)
            ON CONFLICT DO NOTHING RETURNING *
        ), joined AS (
            INSERT INTO room_members (room_id, user_id, role, added_by)
            SELECT made.room_id, user_id,
                CASE WHEN user_id = $4 THEN 'owner' WHEN user_id = ANY ($9::bigint[]) THEN 'admin' ELSE 'member' END,
                nullif(coalesce($10::bigint, $4), user_id)
            FROM made, unnest($6::bigint[]) AS user_id
        ), named AS (
            \(NameSuffixes.insert(
                into: NameSuffixes.rooms, id: "room_id", of: "made", suffixes: "$7", areInside: "$8"))
        ), raised AS (
            \(UserVersions.raise(of: "made, unnest($6::bigint[]) AS user_id"))
        )
        SELECT \(Room.newColumns), raised.user_id, raised.version FROM made AS rooms LEFT JOIN raised ON true
        """)
    static let select = PostgresStatement("SELECT \(Room.columns) FROM rooms \(Room.head) WHERE rooms.room_id = $1")
    static let selectDirect = PostgresStatement("SELECT \(Room.columns) FROM rooms \(Room.head) WHERE direct_key = $1")
    static let selectAccess = PostgresStatement(
        """
        SELECT \(Room.columns(seenBy: "$2")), room_members.role
        FROM rooms LEFT JOIN room_members ON room_members.room_id = rooms.room_id AND room_members.user_id = $2
        \(Room.head)
        WHERE rooms.room_id = $1
        """)
    static let selectMembers = PostgresStatement(
        """
        SELECT access.is_visible, \(RoomMember.columns)
        FROM \(RoomAccess.isVisible(room: "$1", user: "$2")) AS access
        LEFT JOIN LATERAL (
            SELECT * FROM room_members WHERE access.is_visible AND room_id = $1 AND user_id > $3
            ORDER BY user_id LIMIT $4
        ) AS room_members ON true
        ORDER BY room_members.user_id
        """)
    static let selectSummaries = summaries(
        of: """
            SELECT rooms.*, room_members.last_read_seq, room_members.joined_seq
            FROM room_members
            CROSS JOIN LATERAL (SELECT * FROM rooms WHERE room_id = room_members.room_id LIMIT 1) AS rooms
            WHERE room_members.user_id = $1
                AND ($2::timestamptz IS NULL OR (rooms.active_at, rooms.room_id) < ($2, $3::text))
            ORDER BY rooms.active_at DESC, rooms.room_id DESC LIMIT $4
            """)

    /// Summaries of rooms for the user `$1`, newest activity first, as ``RoomSummary/init(_:)`` reads them.
    ///
    /// First the rooms, then the costly parts for these only. Rooms are looked up one by one under any statistics: a
    /// user with a few thousand rooms could make the planner scan all rooms.
    /// - Parameter rooms: selects the rows of `rooms`, each with the user's `last_read_seq` and `joined_seq`.
    static func summaries(of rooms: String) -> PostgresStatement {
        PostgresStatement(
            """
            SELECT \(Room.columns(seenBy: "$1")), mark.seq, unread.count, rooms.active_at, \(Message.columns)
            FROM (
                \(rooms)
            ) AS rooms
            CROSS JOIN LATERAL (
                SELECT \(StoredMark.sql(of: "rooms", user: "$1")) AS seq OFFSET 0
            ) AS mark
            CROSS JOIN LATERAL \(unread(in: "rooms.room_id", by: "$1", after: "mark.seq")) AS unread
            LEFT JOIN LATERAL (
                SELECT * FROM messages WHERE room_id = rooms.room_id ORDER BY seq DESC LIMIT 1
            ) AS messages ON true
            \(Room.head)
            ORDER BY rooms.active_at DESC, rooms.room_id DESC
            """)
    }

    /// A subquery with the number of unread messages as `count`, at most 1,000.
    ///
    /// Reads at most 1,000 matching entries of `messages_live`, however long the room's history is; the user's own
    /// messages do not match, but there are none after the user's mark (`ChatSchema.readMarksMigration`).
    /// - Parameters:
    ///   - room: an SQL expression for the room's id.
    ///   - user: an SQL expression for the user's id.
    ///   - mark: an SQL expression for the user's read mark.
    ///   - last: an SQL expression for the last `seq` that counts; the room's head where it is not given.
    static func unread(in room: String, by user: String, after mark: String, upTo last: String? = nil) -> String {
        """
        (
            SELECT count(*) FROM (
                SELECT FROM messages
                WHERE room_id = \(room) AND seq > \(mark)\(last.map { " AND seq <= \($0)" } ?? "")
                    AND sender_id <> \(user) AND NOT is_deleted
                ORDER BY seq LIMIT 1000
            ) AS counted
        )
        """
    }

    // Only PostgreSQL folds case here: the order is that of an index.
    static let selectPublic = PostgresStatement(
        """
        SELECT \(Room.columns)
        FROM (
            SELECT * FROM rooms
            WHERE type = 'public' AND archived_at IS NULL
                AND (lower(name) COLLATE "C", room_id) > (lower($1::text) COLLATE "C", $2::text)
            ORDER BY lower(name) COLLATE "C", room_id LIMIT $3
        ) AS rooms
        \(Room.head)
        ORDER BY lower(rooms.name) COLLATE "C", rooms.room_id
        """)
    static let searchPublic = NameSearch(
        table: NameSuffixes.rooms, id: "room_id", of: "rooms", columns: Room.columns, join: Room.head,
        condition: "rooms.type = 'public' AND rooms.archived_at IS NULL")
    static let selectAll = PostgresStatement(
        """
        SELECT \(Room.columns) FROM (
            SELECT * FROM rooms WHERE room_id > $1 ORDER BY room_id LIMIT $2
        ) AS rooms
        \(Room.head)
        ORDER BY rooms.room_id
        """)
    static let selectHeads = PostgresStatement("SELECT room_id, last_seq FROM rooms WHERE room_id = ANY ($1)")
    // Nothing is written where the mark does not move. That is decided on the row as it is when it is locked, which may
    // be later than the rest was read.
    static let updateRead = PostgresStatement(
        """
        WITH place AS (
            SELECT rooms.type, rooms.last_seq, least($3, rooms.last_seq) AS seq,
                \(StoredMark.sql(of: "room_members")) AS mark
            FROM rooms LEFT JOIN room_members ON room_members.room_id = rooms.room_id AND room_members.user_id = $2
            WHERE rooms.room_id = $1
        ), moved AS (
            UPDATE room_members SET last_read_seq = place.seq FROM place
            WHERE room_members.room_id = $1 AND room_members.user_id = $2
                AND room_members.last_read_seq < place.seq AND place.mark < place.seq
            RETURNING room_members.user_id
        ), raised AS (
            \(UserVersions.raise(of: "moved"))
        )
        SELECT place.type, place.last_seq, greatest(place.mark, place.seq), raised.version IS NOT NULL,
            place.mark IS NOT NULL, raised.version
        FROM place LEFT JOIN raised ON true
        """)
    // `clock_timestamp()` is the time at which the lock was given, not that at which the waiting began. The room is read by
    // the next statement, whose snapshot is taken under the lock: this one's may be from before its last event.
    static let lock = PostgresStatement(
        "SELECT clock_timestamp() FROM rooms WHERE room_id = $1 FOR NO KEY UPDATE")
}
