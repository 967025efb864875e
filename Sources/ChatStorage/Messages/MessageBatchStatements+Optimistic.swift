import CommonUtil
import PostgresClient

/// Moves the heads by as many drafts as there are, which is the lock, and numbers these back from there. That leaves no
/// gap only if all are stored; so one that does not pass fails the statement, and one whose key is taken the unique index.
extension MessageBatchStatements {
    /// Carried out in the order of the rooms' keys, so that two servers' batches do not wait for each other in a circle. Of
    /// an `UPDATE` no order is promised; if another plan has another one, PostgreSQL breaks the circle and the batch is
    /// tried again. `clock_timestamp()`: when the lock was given, not when the waiting began.
    static let advance = PostgresStatement(
        """
        UPDATE rooms SET last_seq = last_seq + posts.count, active_at = clock_timestamp()
        FROM unnest($1::text[], $2::bigint[]) AS posts (room_id, count) WHERE rooms.room_id = posts.room_id
        """)

    static let number = store(numbered: numbering(withReplies: false))
    static let numberWithReplies = store(numbered: numbering(withReplies: true))

    /// Whether this is how a batch fails that is to be judged: for an error of PostgreSQL's own making it has to be one
    /// that can mean nothing else here, and whose text shows nothing of a message.
    static func isRefusal(_ error: PostgresError) -> Bool {
        error.sqlState == .divisionByZero || error.sqlState == .uniqueViolation
    }

    private static let replyPasses =
        "AND (drafts.reply_to IS NULL OR target.room_id = drafts.room_id AND NOT target.is_deleted)"

    /// The divisor is zero, but not one that is known while the statement is planned.
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

    /// - Returns: how many drafts are for each room, and for each draft how many of them come after it.
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
