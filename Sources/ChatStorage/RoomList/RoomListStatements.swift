import PostgresClient

/// The SQL of ``RoomListRepository``.
///
/// What changed since a cursor is found by the transactions that wrote the rows (`xmin`), compared with the snapshot
/// that the cursor names: a row whose writer is not visible in the snapshot is new since. This is exact whatever the
/// order of commits, needs no column, and no post writes anything for it. No statement of this program uses a
/// savepoint, whose subtransactions snapshots do not name.
extension RoomListRepository {
    // The kinds of rows of `selectList`.
    static let headerRow = 0
    static let entryRow = 1
    private static let removedRow = 2

    /// Cursors are taken for this time, and their snapshots are kept for as long.
    private static let snapshotAge = "interval '30 days'"

    /// Whether a row was written by a transaction that is not visible in the cursor's snapshot. Needs ``sinceCursor``.
    ///
    /// A row keeps only the lower 32 bits of its writer's id: the nearest id that is not above the present ones is taken.
    /// A row that was written more than 2^32 transactions ago can therefore look new, but a new row never looks old.
    /// - Parameter xmin: the row's system column.
    static func isNew(_ xmin: String) -> String {
        let xid = "(since.latest - ((since.latest - \(xmin)::text::bigint) & 4294967295))"
        return "(\(xid) >= since.oldest AND NOT pg_visible_in_snapshot(\(xid)::text::xid8, since.snapshot))"
    }

    /// One row, `since`: the snapshot of the cursor `$2`, with the oldest id that may be new in it (`oldest`); both NULL
    /// where it is unknown. `latest` is the highest id that this statement can see.
    ///
    /// The snapshot's row is only taken where its own writer wrote it: one that was restored from a dump has another.
    /// That alone could agree by chance in a new cluster, whose ids begin at the first again.
    private static let sinceCursor = """
        since AS MATERIALIZED (
            SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1 AS latest, stored.snapshot,
                pg_snapshot_xmin(stored.snapshot)::text::bigint AS oldest
            FROM (SELECT) AS this LEFT JOIN (
                SELECT snapshot FROM list_snapshots
                WHERE snapshot_id = $2 AND list_snapshots.xmin = list_snapshots.xid::xid
                    AND system_id = (SELECT system_identifier FROM pg_control_system())
                    AND taken_at > now() - \(snapshotAge)
            ) AS stored ON true
        )
        """

    /// The head of a room's log as of the snapshot: of messages and of other events the last that is not new, from the
    /// head back. An edited message is new; then an earlier one is found.
    private static let seqAtCursor = """
        CASE WHEN NOT $3 OR since.snapshot IS NULL THEN NULL
        WHEN NOT \(isNew("rooms.row_xid")) THEN rooms.last_seq
        ELSE greatest(0, (
            SELECT seq FROM messages WHERE room_id = rooms.room_id AND NOT \(isNew("messages.xmin"))
            ORDER BY seq DESC LIMIT 1
        ), (
            SELECT seq FROM room_events WHERE room_id = rooms.room_id AND NOT \(isNew("room_events.xmin"))
            ORDER BY seq DESC LIMIT 1
        )) END
        """

    // The other member's row in `users` holds the name of a `direct` room.
    static let selectList = PostgresStatement(
        """
        WITH \(sinceCursor)
        SELECT kind, room_id, last_seq, last_read_seq, flag, seq_at_cursor FROM (
            SELECT \(headerRow)::bigint AS kind, NULL::text COLLATE "C" AS room_id,
                (SELECT version FROM user_versions WHERE user_id = $1) AS last_seq, NULL::bigint AS last_read_seq,
                since.snapshot IS NOT NULL AS flag, NULL::bigint AS seq_at_cursor,
                NULL::timestamptz AS active_at
            FROM since
            UNION ALL
            SELECT \(entryRow), rooms.room_id, rooms.last_seq, room_members.last_read_seq,
                since.snapshot IS NULL OR \(isNew("rooms.row_xid")) OR \(isNew("room_members.xmin"))
                OR rooms.type = 'direct' AND EXISTS (
                    SELECT FROM room_members AS other
                    CROSS JOIN LATERAL (
                        SELECT xmin AS row_xid FROM users WHERE user_id = other.user_id LIMIT 1
                    ) AS users
                    WHERE other.room_id = rooms.room_id AND other.user_id <> $1 AND \(isNew("users.row_xid"))
                ),
                \(seqAtCursor), rooms.active_at
            FROM since CROSS JOIN room_members
            CROSS JOIN LATERAL (
                SELECT room_id, type, last_seq, active_at, xmin AS row_xid FROM rooms
                WHERE room_id = room_members.room_id LIMIT 1
            ) AS rooms
            WHERE room_members.user_id = $1
            UNION ALL
            SELECT \(removedRow), former_members.room_id, NULL, NULL, NULL, NULL, NULL
            FROM since CROSS JOIN former_members
            WHERE former_members.user_id = $1 AND \(isNew("former_members.xmin"))
                AND NOT EXISTS (
                    SELECT FROM room_members WHERE room_id = former_members.room_id AND user_id = $1
                )
        ) AS list
        ORDER BY kind, active_at DESC, room_id DESC
        """)

    static let selectSummaries = RoomRepository.summaries(
        of: """
            SELECT rooms.*, room_members.last_read_seq, room_members.joined_seq
            FROM (SELECT DISTINCT room_id COLLATE "C" AS room_id FROM unnest($2::text[]) AS room_id) AS asked
            CROSS JOIN LATERAL (
                SELECT last_read_seq, joined_seq FROM room_members
                WHERE room_id = asked.room_id AND user_id = $1 LIMIT 1
            ) AS room_members
            CROSS JOIN LATERAL (SELECT * FROM rooms WHERE room_id = asked.room_id LIMIT 1) AS rooms
            """)
    static let selectReadStates = PostgresStatement(
        """
        SELECT asked.room_id, mark.seq, unread.count
        FROM unnest($2::text[], $3::bigint[]) AS asked (room_id, up_to)
        CROSS JOIN LATERAL (
            SELECT * FROM room_members WHERE room_id = asked.room_id AND user_id = $1 LIMIT 1
        ) AS room_members
        CROSS JOIN LATERAL (
            SELECT \(StoredMark.sql(of: "room_members", user: "$1")) AS seq OFFSET 0
        ) AS mark
        CROSS JOIN LATERAL \(RoomRepository.unread(
            in: "asked.room_id", by: "$1", after: "mark.seq", upTo: "asked.up_to")) AS unread
        """)
    static let selectVersions = PostgresStatement(
        "SELECT user_id, version FROM user_versions WHERE user_id = ANY ($1)")
    static let selectMemberships = PostgresStatement(
        """
        SELECT asked.user_id, coalesce(versions.version, 0), rooms.room_id, rooms.last_read_seq, rooms.joined_seq
        FROM unnest($1::bigint[]) AS asked (user_id)
        LEFT JOIN LATERAL (
            SELECT version FROM user_versions WHERE user_id = asked.user_id LIMIT 1
        ) AS versions ON true
        LEFT JOIN LATERAL (
            SELECT room_id, last_read_seq, joined_seq FROM room_members WHERE user_id = asked.user_id OFFSET 0
        ) AS rooms ON true
        """)

    // Each removes some of those that are too old: more than one new one at a time, so that there is no backlog.
    static let insertSnapshot = PostgresStatement(
        """
        WITH pruned AS (
            DELETE FROM list_snapshots WHERE snapshot_id IN (
                SELECT snapshot_id FROM list_snapshots WHERE taken_at <= now() - \(snapshotAge)
                ORDER BY taken_at LIMIT 16 FOR UPDATE SKIP LOCKED
            )
        )
        INSERT INTO list_snapshots (snapshot_id, snapshot, xid, system_id, taken_at)
        SELECT $1, pg_current_snapshot(), pg_current_xact_id(), system_identifier, now() FROM pg_control_system()
        """)
}
