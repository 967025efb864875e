import PostgresClient

/// How a member's read mark stands in PostgreSQL.
///
/// Posting marks a room read up to the post, but the message row says so already. So `last_read_seq` may be behind
/// one's own posts, by ``window`` at most, and a post writes it only where it would fall further. Whoever reads a mark
/// takes it from ``sql(of:user:)``, which looks through no more than the window.
///
/// Deleted messages are not in the index that it looks in: who deletes a message moves the mark of its sender. What was
/// posted before one became a member (`joined_seq`) marks nothing.
enum StoredMark {
    static let window = 256

    /// The mark as an SQL expression.
    /// - Parameters:
    ///   - row: a row with the `room_id`, `last_read_seq` and `joined_seq` of `room_members`.
    ///   - user: the member's id; the row's `user_id` where it is not given.
    static func sql(of row: String, user: String? = nil) -> String {
        """
        greatest(\(row).last_read_seq, (
            SELECT seq FROM messages
            WHERE room_id = \(row).room_id AND sender_id = \(user ?? "\(row).user_id") AND NOT is_deleted
                AND seq > greatest(\(row).last_read_seq, \(row).joined_seq)
                AND seq <= \(row).last_read_seq + \(window)
            ORDER BY seq DESC LIMIT 1
        ))
        """
    }
}
