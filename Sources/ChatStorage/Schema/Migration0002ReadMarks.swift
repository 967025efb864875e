extension ChatSchema {
    /// Unread messages are counted at the same cost whatever stands in a room.
    ///
    /// - Deleted messages are not in the index that is counted in.
    /// - One's own are never after one's mark: posting moves it, and it outlives leaving and coming back. (The only way
    ///   to have some there is to post to a public room in `trusted` mode and join it later: they are passed over.)
    static let readMarksMigration = """
        CREATE INDEX messages_live ON messages (room_id, seq) INCLUDE (sender_id) WHERE NOT is_deleted;

        -- How far those who have left had read.
        CREATE TABLE former_members (
            room_id text COLLATE "C" NOT NULL REFERENCES rooms ON DELETE CASCADE,
            user_id bigint NOT NULL,
            last_read_seq bigint NOT NULL,
            PRIMARY KEY (room_id, user_id)
        );
        """
}
