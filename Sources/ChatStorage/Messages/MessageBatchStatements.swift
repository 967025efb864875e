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
    /// same order. Ids are drawn before, in the order of posting.
    private static let store = PostgresStatement(
        """
        WITH drafts AS (
            SELECT * FROM unnest(
                $1::integer[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bytea[]
            ) AS drafts (ordinal, room_id, sender_id, type, content, reply_to, client_message_id, request_hash)
        ), judged AS MATERIALIZED (
            SELECT drafts.*, rooms.last_seq, prior.message_id AS prior_id,
                CASE
                    WHEN rooms.room_id IS NULL THEN '\(PostRefusal.roomNotFound.rawValue)'
                    WHEN member.user_id IS NULL AND rooms.type <> 'public' THEN '\(PostRefusal.roomNotFound.rawValue)'
                    WHEN member.user_id IS NULL AND NOT $9::boolean THEN '\(PostRefusal.notAMember.rawValue)'
                    WHEN prior.request_hash <> drafts.request_hash THEN '\(PostRefusal.keyReused.rawValue)'
                    WHEN prior.message_id IS NOT NULL THEN '\(repeated)'
                    WHEN rooms.archived_at IS NOT NULL THEN '\(PostRefusal.roomArchived.rawValue)'
                    WHEN drafts.reply_to IS NOT NULL AND (target.room_id IS DISTINCT FROM drafts.room_id
                        OR target.is_deleted)
                        THEN '\(PostRefusal.replyNotFound.rawValue)'
                    ELSE '\(stored)'
                END AS verdict
            FROM drafts
            LEFT JOIN LATERAL (SELECT * FROM rooms WHERE room_id = drafts.room_id LIMIT 1) AS rooms ON true
            LEFT JOIN LATERAL (
                SELECT user_id FROM room_members
                WHERE room_id = drafts.room_id AND user_id = drafts.sender_id LIMIT 1
            ) AS member ON true
            LEFT JOIN LATERAL (
                SELECT message_id, request_hash FROM messages
                WHERE sender_id = drafts.sender_id AND client_message_id = drafts.client_message_id
                    AND client_message_id IS NOT NULL LIMIT 1
            ) AS prior ON drafts.client_message_id IS NOT NULL
            LEFT JOIN LATERAL (
                SELECT room_id, is_deleted FROM messages WHERE message_id = drafts.reply_to LIMIT 1
            ) AS target ON drafts.reply_to IS NOT NULL
        ), numbered AS MATERIALIZED (
            SELECT passed.*, nextval('messages_message_id_seq') AS message_id, statement_timestamp() AS sent_at
            FROM (
                SELECT judged.*, last_seq + row_number() OVER (PARTITION BY room_id ORDER BY ordinal) AS seq
                FROM judged WHERE verdict = '\(stored)' ORDER BY ordinal
            ) AS passed
        ), inserted AS (
            INSERT INTO messages (message_id, room_id, seq, sender_id, type, content, sent_at, reply_to,
                client_message_id, request_hash)
            SELECT message_id, room_id, seq, sender_id, type, content, sent_at, reply_to,
                client_message_id, CASE WHEN client_message_id IS NOT NULL THEN request_hash END
            FROM numbered ORDER BY sender_id, client_message_id, ordinal
        ), moved AS (
            UPDATE rooms SET last_seq = heads.seq, active_at = heads.sent_at
            FROM (SELECT room_id, max(seq) AS seq, max(sent_at) AS sent_at FROM numbered GROUP BY room_id) AS heads
            WHERE rooms.room_id = heads.room_id
        ), marked AS (
            UPDATE room_members SET last_read_seq = posts.seq
            FROM (SELECT room_id, sender_id, max(seq) AS seq FROM numbered GROUP BY room_id, sender_id) AS posts
            WHERE room_members.room_id = posts.room_id AND room_members.user_id = posts.sender_id
        )
        SELECT judged.ordinal, judged.verdict, numbered.message_id, numbered.seq, numbered.sent_at, judged.prior_id
        FROM judged LEFT JOIN numbered USING (ordinal)
        """)

    /// Fetches the messages that repeated keys stand for; apart, since almost no batch has any.
    private static let selectPrior = PostgresStatement(
        "SELECT \(Message.columns) FROM messages WHERE message_id = ANY ($1)")

    static let stored = "stored"
    static let repeated = "repeated"

    /// - Parameter isOpen: whether public rooms take posts of those who are no members (`trusted` mode).
    static func commands(for drafts: [MessageDraft], isOpen: Bool) -> [PostgresCommand] {
        [
            PostgresCommand(lock, .textArray(Set(drafts.map(\.roomID.rawValue)).sorted())),
            PostgresCommand(
                store,
                .int4Array((0..<Int32(drafts.count)).map { $0 }),
                .textArray(drafts.map(\.roomID.rawValue)),
                .int8Array(drafts.map(\.senderID.rawValue)),
                .textArray(drafts.map(\.type.rawValue)),
                .textArray(drafts.map(\.contentJSON)),
                .int8Array(drafts.map { $0.replyToMessageID?.rawValue }),
                .textArray(drafts.map(\.clientMessageID)),
                .byteaArray(drafts.map(\.requestHash)),
                .bool(isOpen)),
        ]
    }

    static func priorCommand(_ messageIDs: [MessageID]) -> PostgresCommand {
        PostgresCommand(selectPrior, .int8Array(messageIDs.map(\.rawValue)))
    }
}
