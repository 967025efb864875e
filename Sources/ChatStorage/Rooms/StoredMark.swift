import PostgresClient

/// How a member's read mark stands in PostgreSQL.
///
/// Posting marks a room read up to the post, but the message row says so already. So `last_read_seq` may be behind
/// one's own posts, by ``window`` at most, and is written only when it would fall further: not a row a post, but one in
/// hundreds. Whoever reads a mark takes it from ``sql(room:user:stored:)``, which looks through no more than the window.
///
/// Deleted messages are not in the index that it looks in: who deletes a message moves the mark of its sender.
enum StoredMark {
    static let window = 256

    /// The mark as an SQL expression.
    /// - Parameters: what they stand in: the room's id, the member's, and `last_read_seq`.
    static func sql(room: String, user: String, stored: String) -> String {
        """
        greatest(\(stored), (
            SELECT seq FROM messages
            WHERE room_id = \(room) AND sender_id = \(user) AND NOT is_deleted
                AND seq > \(stored) AND seq <= \(stored) + \(window)
            ORDER BY seq DESC LIMIT 1
        ))
        """
    }

    /// The mark as an SQL expression, of a row of `room_members`.
    static func sql(of row: String) -> String {
        sql(room: "\(row).room_id", user: "\(row).user_id", stored: "\(row).last_read_seq")
    }
}
