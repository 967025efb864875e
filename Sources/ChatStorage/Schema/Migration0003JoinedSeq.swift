extension ChatSchema {
    /// Where in the log a membership began: of one's own posts those before it were a stranger's, in a public room in
    /// `trusted` mode, and marked nothing. 0 for those who were there from the beginning, or before this migration.
    static let joinedSeqMigration = """
        ALTER TABLE room_members ADD COLUMN joined_seq bigint NOT NULL DEFAULT 0;
        """
}
