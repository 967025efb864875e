/// The migration of the feed of changes.
extension ChatSchema {
    /// Migration 8. The order of all rooms' events, as one server at a time appends it (``ChangeSequenceRepository``).
    ///
    /// - `change_feed`: one row. `feed_id` is the installation's; `head` is the position of the last run; `holder` is the
    ///   server that appends, until `held_until` passes.
    /// - `change_runs`: events `from_seq` to `to_seq` of a room, at a position without gaps. A room's first run begins at
    ///   0, which stands for its creation, with the description in `created`. `mark` is random, the same for all runs of one
    ///   transaction: in a database that was set back, the runs that follow have other marks, so a cursor that names a
    ///   run and its mark is known to be of another history.
    static let changeFeedMigration = """
        CREATE TABLE change_feed (
            is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
            feed_id bigint NOT NULL,
            head bigint NOT NULL DEFAULT 0,
            holder bigint,
            held_until timestamptz NOT NULL DEFAULT now()
        ) WITH (fillfactor = 50);
        INSERT INTO change_feed (feed_id)
            SELECT ('x' || right(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint;

        CREATE TABLE change_runs (
            position bigint PRIMARY KEY,
            room_id text COLLATE "C" NOT NULL,
            from_seq bigint NOT NULL,
            to_seq bigint NOT NULL,
            mark bigint NOT NULL,
            created text
        );
        CREATE INDEX change_runs_room ON change_runs (room_id, position) INCLUDE (to_seq);
        """
}
