import ChatEvents
import CommonUtil
import PostgresClient

/// One batch as two statements of one transaction and one round trip.
enum MessageBatchStatements {
    /// Locks in key order, so that two servers' batches cannot wait for each other in a circle. A statement of its own:
    /// READ COMMITTED takes a statement's snapshot before it waits for a lock, and the next one must see what the
    /// lock's last holder committed (PostgreSQL manual, 13.2.1).
    private static let lock = PostgresStatement(
        "SELECT FROM rooms WHERE room_id = ANY ($1) ORDER BY room_id FOR NO KEY UPDATE")

    /// Judges each draft, numbers those that pass, stores them, moves the heads. One bad draft fails alone.
    ///
    /// Lookups are lateral with a limit, and by one key, so that they stay lookups in that key's index under any
    /// statistics: with the room beside the id in its condition, the one of the message that is replied to has been a
    /// walk through the room. Rows are inserted in key order: two servers that claim the same keys then do so in the
    /// same order. Ids are drawn before, in the order of posting to a room. `OFFSET 0` has a draft judged once, though
    /// its verdict is asked for three times.
    ///
    /// Without `looksUpKeys` ($10) only those drafts are looked up by key whose verdict a taken key would change, and
    /// the unique index refuses the batch where another's is taken (``KeyLookup``). One's own mark in the room is
    /// written only where it would fall too far behind (``StoredMark``).
    private static let store = PostgresStatement(storeText(withReplies: false))
    /// Few batches have a reply, and every part of a statement costs each batch its start and each draft a step.
    private static let storeWithReplies = PostgresStatement(storeText(withReplies: true))

    private static let replyCheck = """
        WHEN drafts.reply_to IS NOT NULL AND (target.room_id IS DISTINCT FROM drafts.room_id OR target.is_deleted)
            THEN '\(PostRefusal.replyNotFound.rawValue)'
        """
    private static let replyTarget = """
        LEFT JOIN LATERAL (
            SELECT room_id, is_deleted FROM messages WHERE message_id = drafts.reply_to LIMIT 1
        ) AS target ON drafts.reply_to IS NOT NULL
        """

    private static func storeText(withReplies: Bool) -> String {
        """
        WITH numbered AS MATERIALIZED (
            SELECT judged.*, statement_timestamp() AS sent_at,
                CASE WHEN passes THEN nextval('messages_message_id_seq') END AS message_id,
                CASE WHEN passes THEN last_seq + count(*) FILTER (WHERE passes)
                    OVER (PARTITION BY room_id ORDER BY ordinal ROWS UNBOUNDED PRECEDING) END AS seq
            FROM (
                SELECT *, verdict = '\(stored)' AS passes
                FROM (
                    SELECT drafts.*, rooms.last_seq, prior.message_id AS prior_id, member.last_read_seq,
                        CASE
                            WHEN rooms.type IS NULL THEN '\(PostRefusal.roomNotFound.rawValue)'
                            WHEN member.user_id IS NULL AND rooms.type <> 'public'
                                THEN '\(PostRefusal.roomNotFound.rawValue)'
                            WHEN member.user_id IS NULL AND NOT $9::boolean THEN '\(PostRefusal.notAMember.rawValue)'
                            WHEN prior.request_hash <> drafts.request_hash THEN '\(PostRefusal.keyReused.rawValue)'
                            WHEN prior.message_id IS NOT NULL THEN '\(repeated)'
                            WHEN rooms.archived_at IS NOT NULL THEN '\(PostRefusal.roomArchived.rawValue)'
                            \(withReplies ? replyCheck : "")
                            ELSE '\(stored)'
                        END AS verdict
                    FROM unnest(
                        $1::integer[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                        $8::bytea[]
                    ) AS drafts (
                        ordinal, room_id, sender_id, type, content, reply_to, client_message_id, request_hash)
                    LEFT JOIN LATERAL (
                        SELECT type, last_seq, archived_at FROM rooms WHERE room_id = drafts.room_id LIMIT 1
                    ) AS rooms ON true
                    LEFT JOIN LATERAL (
                        SELECT user_id, last_read_seq FROM room_members
                        WHERE room_id = drafts.room_id AND user_id = drafts.sender_id LIMIT 1
                    ) AS member ON true
                    LEFT JOIN LATERAL (
                        SELECT message_id, request_hash FROM messages
                        WHERE sender_id = drafts.sender_id AND client_message_id = drafts.client_message_id
                            AND client_message_id IS NOT NULL AND ($10::boolean OR rooms.archived_at IS NOT NULL)
                        LIMIT 1
                    ) AS prior ON drafts.client_message_id IS NOT NULL
                    \(withReplies ? replyTarget : "")
                    OFFSET 0
                ) AS judged
            ) AS judged
        ), inserted AS (
            INSERT INTO messages (message_id, room_id, seq, sender_id, type, content, sent_at, reply_to,
                client_message_id, request_hash)
            SELECT message_id, room_id, seq, sender_id, type, content, sent_at, reply_to,
                client_message_id, CASE WHEN client_message_id IS NOT NULL THEN request_hash END
            FROM numbered WHERE passes ORDER BY sender_id, client_message_id, ordinal
        ), moved AS (
            UPDATE rooms SET last_seq = heads.seq, active_at = heads.sent_at
            FROM (
                SELECT room_id, max(seq) AS seq, max(sent_at) AS sent_at FROM numbered WHERE passes GROUP BY room_id
            ) AS heads
            WHERE rooms.room_id = heads.room_id
        ), marked AS (
            UPDATE room_members SET last_read_seq = posts.seq
            FROM (
                SELECT room_id, sender_id, max(seq) AS seq FROM numbered
                WHERE passes AND seq > last_read_seq + \(StoredMark.window) GROUP BY room_id, sender_id
            ) AS posts
            WHERE room_members.room_id = posts.room_id AND room_members.user_id = posts.sender_id
        )
        SELECT ordinal, verdict, message_id, seq, sent_at, prior_id FROM numbered
        """
    }

    /// Fetches the messages that repeated keys stand for; apart, since almost no batch has any.
    private static let selectPrior = PostgresStatement(
        "SELECT \(Message.columns) FROM messages WHERE message_id = ANY ($1)")

    static let stored = "stored"
    static let repeated = "repeated"

    /// - Parameters:
    ///   - isOpen: whether public rooms take posts of those who are no members (`trusted` mode).
    ///   - looksUpKeys: `false` where a taken key may fail the batch with ``SQLState/uniqueViolation``.
    static func commands(for drafts: [MessageDraft], isOpen: Bool, looksUpKeys: Bool) -> [PostgresCommand] {
        let hasReplies = drafts.contains { $0.replyToMessageID != nil }
        return [
            PostgresCommand(lock, .textArray(Set(drafts.map(\.roomID.rawValue)).sorted())),
            PostgresCommand(
                hasReplies ? storeWithReplies : store,
                .int4Array((0..<Int32(drafts.count)).map { $0 }),
                .textArray(drafts.map(\.roomID.rawValue)),
                .int8Array(drafts.map(\.senderID.rawValue)),
                .textArray(drafts.map(\.type.rawValue)),
                .textArray(drafts.map(\.contentJSON)),
                .int8Array(drafts.map { $0.replyToMessageID?.rawValue }),
                .textArray(drafts.map(\.clientMessageID)),
                .byteaArray(drafts.map(\.requestHash)),
                .bool(isOpen),
                // A reply whose target is gone may repeat one that was stored before.
                .bool(looksUpKeys || hasReplies)),
        ]
    }

    static func priorCommand(_ messageIDs: [MessageID]) -> PostgresCommand {
        PostgresCommand(selectPrior, .int8Array(messageIDs.map(\.rawValue)))
    }
}
