/// The migration of the import.
extension ChatSchema {
    /// Migration 9. What makes an import repeatable.
    ///
    /// - `imported_messages`: the message of each `importId`, with a hash of the line that it came from, since an edit
    ///   changes the message but not the line. A table of its own, as `key_messages`: a column of `messages` would need an
    ///   index there, which every post would pay for.
    /// - `import_reads`: members for whom a running import reads everything at its end. Rows of an import that was broken
    ///   off are removed by a later one.
    static let importMigration = """
        CREATE TABLE imported_messages (
            room_id text COLLATE "C" NOT NULL,
            import_id text COLLATE "C" NOT NULL,
            message_id bigint NOT NULL,
            line_hash bytea NOT NULL,
            PRIMARY KEY (room_id, import_id)
        );

        CREATE TABLE import_reads (
            run_id bigint NOT NULL,
            room_id text COLLATE "C" NOT NULL,
            user_id bigint NOT NULL,
            noted_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (run_id, room_id, user_id)
        );
        CREATE INDEX import_reads_noted_at ON import_reads (noted_at);
        """
}
