import ChatEvents
import CommonUtil
import PostgresClient

/// One batch as two statements of one transaction and one round trip: one that locks the rooms, and one that stores.
///
/// Rooms are locked by a statement of its own: READ COMMITTED takes a statement's snapshot before it waits for a lock, and
/// the next one must see what the lock's last holder committed (PostgreSQL manual, 13.2.1).
enum MessageBatchStatements {
    enum Kind {
        /// Each draft gets a verdict, and only those that pass are stored.
        case validated
        /// All are stored, or the batch is refused as ``isRefusal(_:)`` tells and nothing of it is stored.
        case optimistic
    }

    static let stored = "stored"
    static let repeated = "repeated"

    /// - Parameter isOpen: whether public rooms take posts of those who are no members (`trusted` mode).
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
                PostgresCommand(hasReplies ? judgeWithReplies : judge, parameters),
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

    /// What the storing statements have in common. Both make `numbered` of the drafts, in which those that pass have a
    /// `seq`.
    ///
    /// Lookups are lateral with a limit, and by one key, so that they stay lookups in that key's index under any
    /// statistics: with the room beside the id in its condition, the one of the message that is replied to has been a
    /// walk through the room. Rows are inserted in key order: two servers that claim the same keys then do so in the
    /// same order. Ids are drawn before, in the order of posting to a room. One's own mark in the room is written only
    /// where it would fall too far behind (``StoredMark``).
    ///
    /// - Parameter moving: further parts of the statement.
    static func store(numbered: String, moving: String = "") -> PostgresStatement {
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
            )\(moving)
            SELECT ordinal, verdict, message_id, seq, sent_at, prior_id FROM numbered
            """)
    }

    static let roomAndMember = """
        LEFT JOIN LATERAL (
            SELECT type, last_seq, archived_at FROM rooms WHERE room_id = drafts.room_id LIMIT 1
        ) AS rooms ON true
        LEFT JOIN LATERAL (
            SELECT user_id, last_read_seq FROM room_members
            WHERE room_id = drafts.room_id AND user_id = drafts.sender_id LIMIT 1
        ) AS member ON true
        """
    /// For batches with a reply. Few have one, and every part of a statement costs each batch its start and each draft
    /// a step.
    static let replyTarget = """
        LEFT JOIN LATERAL (
            SELECT room_id, is_deleted FROM messages WHERE message_id = drafts.reply_to LIMIT 1
        ) AS target ON drafts.reply_to IS NOT NULL
        """

    /// Fetches the messages that repeated keys stand for; apart, since almost no batch has any.
    private static let selectPrior = PostgresStatement(
        "SELECT \(Message.columns) FROM messages WHERE message_id = ANY ($1)")

    static func priorCommand(_ messageIDs: [MessageID]) -> PostgresCommand {
        PostgresCommand(selectPrior, .int8Array(messageIDs.map(\.rawValue)))
    }
}
