import PostgresClient

/// Judges each draft, numbers those that pass, stores them, moves the heads. One bad draft fails alone.
extension MessageBatchStatements {
    /// In key order, so that two servers' batches cannot wait for each other in a circle.
    static let lock = PostgresStatement(
        "SELECT FROM rooms WHERE room_id = ANY ($1) ORDER BY room_id FOR NO KEY UPDATE")

    static let judge = store(numbered: judging(withReplies: false), moving: moving)
    static let judgeWithReplies = store(numbered: judging(withReplies: true), moving: moving)

    private static let replyCheck = """
        WHEN drafts.reply_to IS NOT NULL AND (target.room_id IS DISTINCT FROM drafts.room_id OR target.is_deleted)
            THEN '\(PostRefusal.replyNotFound.rawValue)'
        """

    /// `OFFSET 0` has a draft judged once, though its verdict is asked for three times.
    private static func judging(withReplies: Bool) -> String {
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

    private static let moving = """
        , moved AS (
            UPDATE rooms SET last_seq = heads.seq, active_at = heads.sent_at
            FROM (
                SELECT room_id, max(seq) AS seq, max(sent_at) AS sent_at FROM numbered
                WHERE seq IS NOT NULL GROUP BY room_id
            ) AS heads
            WHERE rooms.room_id = heads.room_id
        )
        """
}
