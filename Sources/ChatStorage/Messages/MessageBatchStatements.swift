import ChatEvents
import CommonUtil
import PostgresClient

/// The SQL of a batch: two statements of one transaction and one round trip, one that locks the rooms and one that
/// stores.
///
/// Rooms are locked by a statement of its own: READ COMMITTED takes a statement's snapshot before it waits for a lock,
/// and the next one must see what the lock's last holder committed (PostgreSQL manual, 13.2.1).
enum MessageBatchStatements {
    /// The two ways to store a batch.
    enum Kind {
        /// Each draft gets a verdict, and only those that pass are stored. One bad draft fails alone.
        case validated
        /// All drafts are stored, or none is and the batch fails with an error that ``isRefusal(_:)`` knows.
        case optimistic
    }

    // Verdicts beside those of ``PostRefusal``.
    static let stored = "stored"
    static let repeated = "repeated"

    /// - Parameter isOpen: whether public rooms take posts from non-members (`trusted` mode).
    static func commands(for drafts: [MessageDraft], isOpen: Bool, _ kind: Kind) -> [PostgresCommand] {
        let hasReplies = drafts.contains { $0.replyToMessageID != nil }
        let parameters: [PostgresParameter] = [
            .int4Array((0..<Int32(drafts.count)).map { $0 }),
            .textArray(drafts.map(\.roomID.rawValue)),
            .int8Array(drafts.map(\.senderID.rawValue)),
            .textArray(drafts.map(\.type.rawValue)),
            .textArray(drafts.map(\.contentJSON)),
            .int8Array(drafts.map { $0.replyToMessageID?.rawValue }),
            .textArray(drafts.map(\.clientMessageID)),
            .byteaArray(drafts.map(\.requestHash)),
            .bool(isOpen),
        ]
        switch kind {
        case .validated:
            return [
                PostgresCommand(lock, .textArray(Set(drafts.map(\.roomID.rawValue)).sorted())),
                PostgresCommand(hasReplies ? validateWithReplies : validate, parameters),
            ]
        case .optimistic:
            let (counts, behind) = places(of: drafts)
            let rooms = counts.sorted { $0.key < $1.key }
            return [
                PostgresCommand(advance, .textArray(rooms.map(\.key)), .int8Array(rooms.map(\.value))),
                PostgresCommand(hasReplies ? numberWithReplies : number, parameters + [.int8Array(behind)]),
            ]
        }
    }

    /// The part that both kinds share. Each makes `numbered` of the drafts, in which those that pass have a `seq`.
    ///
    /// Lookups are lateral with a limit, and by one key, so that they stay lookups in that key's index under any
    /// statistics: with the room beside the id in its condition, the lookup of a reply's target has been a walk through
    /// the room. Rows are inserted in key order, so that two servers that claim the same keys do so in the same order.
    /// Ids are drawn before, in the order of posting to a room. The sender's read mark is written only where it would
    /// fall too far behind (``StoredMark``).
    ///
    /// - Parameter advancing: further parts of the statement.
    private static func store(numbered: String, advancing: String = "") -> PostgresStatement {
        PostgresStatement(
            """
            WITH numbered AS MATERIALIZED (
                \(numbered)
            ), inserted AS (
                INSERT INTO messages (message_id, room_id, seq, sender_id, type, content, sent_at, reply_to,
                    client_message_id, request_hash)
                SELECT message_id, room_id, seq, sender_id, type, content, sent_at, reply_to,
                    client_message_id, CASE WHEN client_message_id IS NOT NULL THEN request_hash END
                FROM numbered WHERE seq IS NOT NULL ORDER BY sender_id, client_message_id, ordinal
            ), marked AS (
                UPDATE room_members SET last_read_seq = posts.seq
                FROM (
                    SELECT room_id, sender_id, max(seq) AS seq FROM numbered
                    WHERE seq > last_read_seq + \(StoredMark.window) GROUP BY room_id, sender_id
                ) AS posts
                WHERE room_members.room_id = posts.room_id AND room_members.user_id = posts.sender_id
            )\(advancing)
            SELECT ordinal, verdict, message_id, seq, sent_at, prior_id FROM numbered
            """)
    }

    private static let roomAndMember = """
        LEFT JOIN LATERAL (
            SELECT type, last_seq, archived_at FROM rooms WHERE room_id = drafts.room_id LIMIT 1
        ) AS rooms ON true
        LEFT JOIN LATERAL (
            SELECT user_id, last_read_seq FROM room_members
            WHERE room_id = drafts.room_id AND user_id = drafts.sender_id LIMIT 1
        ) AS member ON true
        """
    /// Only for batches with a reply. Few have one, and every part of a statement costs each batch its start and each
    /// draft a step.
    private static let replyTarget = """
        LEFT JOIN LATERAL (
            SELECT room_id, is_deleted FROM messages WHERE message_id = drafts.reply_to LIMIT 1
        ) AS target ON drafts.reply_to IS NOT NULL
        """

    // MARK: Repeated keys

    /// A statement of its own, since almost no batch needs it. The content and the sender's access are read in one
    /// snapshot: a sender who has been removed does not see later edits.
    private static let selectPrior = PostgresStatement(
        """
        SELECT access.is_visible, \(Message.columns) FROM messages
        LEFT JOIN LATERAL \(RoomAccess.isVisible(room: "messages.room_id", user: "messages.sender_id")) AS access
            ON true
        WHERE messages.message_id = ANY ($1)
        """)

    /// Fetches messages that were stored before under repeated keys; each row begins with whether its sender may read
    /// it.
    static func priorCommand(_ messageIDs: [MessageID]) -> PostgresCommand {
        PostgresCommand(selectPrior, .int8Array(messageIDs.map(\.rawValue)))
    }
}

/// Advances the rooms' heads by the number of drafts, which takes the locks, and numbers the drafts back from there.
/// That leaves no gap only if all are stored. So a draft that does not pass fails the statement, and one whose key is
/// taken violates the unique index.
extension MessageBatchStatements {
    /// Carried out in the order of the rooms' keys, so that two servers' batches do not wait for each other in a
    /// circle. An `UPDATE` promises no order; if another plan has another one, PostgreSQL breaks the circle and the
    /// batch is tried again. `clock_timestamp()` is the time at which the lock was given, not that at which the waiting
    /// began.
    static let advance = PostgresStatement(
        """
        UPDATE rooms SET last_seq = last_seq + posts.count, active_at = clock_timestamp()
        FROM unnest($1::text[], $2::bigint[]) AS posts (room_id, count) WHERE rooms.room_id = posts.room_id
        """)

    private static let number = store(numbered: numbering(withReplies: false))
    private static let numberWithReplies = store(numbered: numbering(withReplies: true))

    /// Whether this error refuses an optimistic batch, which then has to be validated. These are errors that can mean
    /// nothing else here, and whose text shows nothing of a message.
    static func isRefusal(_ error: PostgresError) -> Bool {
        error.sqlState == .divisionByZero || error.sqlState == .uniqueViolation
    }

    private static let replyPasses =
        "AND (drafts.reply_to IS NULL OR target.room_id = drafts.room_id AND NOT target.is_deleted)"

    // The ELSE branch divides by zero to fail the statement (`isRefusal`). It uses a column, so that the planner does not fold it
    // to a constant and fail every batch.
    private static func numbering(withReplies: Bool) -> String {
        """
        SELECT drafts.*, member.last_read_seq, statement_timestamp() AS sent_at,
            nextval('messages_message_id_seq') AS message_id, '\(stored)' AS verdict, NULL::bigint AS prior_id,
            CASE
                WHEN (member.user_id IS NOT NULL OR rooms.type = 'public' AND $9::boolean)
                    AND rooms.archived_at IS NULL \(withReplies ? replyPasses : "")
                    THEN rooms.last_seq - drafts.behind
                ELSE 1 / (0 * drafts.ordinal)
            END AS seq
        FROM unnest(
            $1::integer[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bytea[],
            $10::bigint[]
        ) AS drafts (
            ordinal, room_id, sender_id, type, content, reply_to, client_message_id, request_hash, behind)
        \(roomAndMember)
        \(withReplies ? replyTarget : "")
        """
    }

    /// - Returns: the number of drafts for each room, and for each draft the number of later ones for its room.
    static func places(of drafts: [MessageDraft]) -> (counts: [String: Int64], behind: [Int64]) {
        var counts: [String: Int64] = [:]
        var behind = [Int64](repeating: 0, count: drafts.count)
        func counted(_ count: inout Int64) -> Int64 {
            defer { count += 1 }
            return count
        }
        for index in drafts.indices.reversed() {
            behind[index] = counted(&counts[drafts[index].roomID.rawValue, default: 0])
        }
        return (counts, behind)
    }
}

/// Validates each draft, numbers and stores those that pass, and advances the rooms' heads.
extension MessageBatchStatements {
    /// In key order, so that two servers' batches cannot wait for each other in a circle.
    private static let lock = PostgresStatement(
        "SELECT FROM rooms WHERE room_id = ANY ($1) ORDER BY room_id FOR NO KEY UPDATE")

    private static let validate = store(numbered: validating(withReplies: false), advancing: advanceHeads)
    private static let validateWithReplies = store(numbered: validating(withReplies: true), advancing: advanceHeads)

    private static let replyCheck = """
        WHEN drafts.reply_to IS NOT NULL AND (target.room_id IS DISTINCT FROM drafts.room_id OR target.is_deleted)
            THEN '\(PostRefusal.replyNotFound.rawValue)'
        """

    // A key is looked at before the room: a repeated post gets its first outcome, also after losing the room. `OFFSET
    // 0` has a verdict computed once, though it is read three times.
    private static func validating(withReplies: Bool) -> String {
        """
        SELECT validated.*, statement_timestamp() AS sent_at,
            CASE WHEN passes THEN nextval('messages_message_id_seq') END AS message_id,
            CASE WHEN passes THEN last_seq + count(*) FILTER (WHERE passes)
                OVER (PARTITION BY room_id ORDER BY ordinal ROWS UNBOUNDED PRECEDING) END AS seq
        FROM (
            SELECT *, verdict = '\(stored)' AS passes
            FROM (
                SELECT drafts.*, rooms.last_seq, prior.message_id AS prior_id, member.last_read_seq,
                    CASE
                        WHEN prior.request_hash <> drafts.request_hash THEN '\(PostRefusal.keyReused.rawValue)'
                        WHEN prior.message_id IS NOT NULL THEN '\(repeated)'
                        WHEN rooms.type IS NULL THEN '\(PostRefusal.roomNotFound.rawValue)'
                        WHEN member.user_id IS NULL AND rooms.type <> 'public'
                            THEN '\(PostRefusal.roomNotFound.rawValue)'
                        WHEN member.user_id IS NULL AND NOT $9::boolean THEN '\(PostRefusal.notAMember.rawValue)'
                        WHEN rooms.archived_at IS NOT NULL THEN '\(PostRefusal.roomArchived.rawValue)'
                        \(withReplies ? replyCheck : "")
                        ELSE '\(stored)'
                    END AS verdict
                FROM unnest(
                    $1::integer[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                    $8::bytea[]
                ) AS drafts (
                    ordinal, room_id, sender_id, type, content, reply_to, client_message_id, request_hash)
                \(roomAndMember)
                LEFT JOIN LATERAL (
                    SELECT message_id, request_hash FROM messages
                    WHERE sender_id = drafts.sender_id AND client_message_id = drafts.client_message_id
                        AND client_message_id IS NOT NULL LIMIT 1
                ) AS prior ON drafts.client_message_id IS NOT NULL
                \(withReplies ? replyTarget : "")
                OFFSET 0
            ) AS validated
        ) AS validated
        """
    }

    private static let advanceHeads = """
        , advanced AS (
            UPDATE rooms SET last_seq = heads.seq, active_at = heads.sent_at
            FROM (
                SELECT room_id, max(seq) AS seq, max(sent_at) AS sent_at FROM numbered
                WHERE seq IS NOT NULL GROUP BY room_id
            ) AS heads
            WHERE rooms.room_id = heads.room_id
        )
        """
}
