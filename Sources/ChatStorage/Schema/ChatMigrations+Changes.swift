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
    /// - `webhooks`: everything up to `run`, `seq` and `mark` was delivered; `delivery_…` is the delivery that was begun;
    ///   `holder` is the server that delivers, until `held_until` passes.
    /// - `webhook_attempts`: the last attempts of each.
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

        CREATE TABLE webhooks (
            webhook_id text COLLATE "C" PRIMARY KEY,
            url text NOT NULL,
            event_types text[],
            room_ids text[],
            secret bytea NOT NULL,
            former_secret bytea,
            former_until timestamptz,
            paused_because text CHECK (paused_because IN ('gone', 'asked')),
            run bigint NOT NULL,
            seq bigint NOT NULL,
            mark bigint NOT NULL,
            delivery_id text,
            delivery_run bigint,
            delivery_seq bigint,
            delivery_mark bigint,
            failures integer NOT NULL DEFAULT 0,
            next_attempt_at timestamptz NOT NULL DEFAULT now(),
            last_error text,
            last_attempt_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now(),
            holder bigint,
            held_until timestamptz NOT NULL DEFAULT now()
        ) WITH (fillfactor = 50);

        CREATE TABLE webhook_attempts (
            attempt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            webhook_id text COLLATE "C" NOT NULL REFERENCES webhooks ON DELETE CASCADE,
            delivery_id text NOT NULL,
            at timestamptz NOT NULL,
            status integer,
            error text,
            duration_ms bigint NOT NULL,
            items integer NOT NULL,
            from_run bigint NOT NULL,
            from_seq bigint NOT NULL,
            from_mark bigint NOT NULL,
            to_run bigint NOT NULL,
            to_seq bigint NOT NULL,
            to_mark bigint NOT NULL
        );
        CREATE INDEX webhook_attempts_webhook ON webhook_attempts (webhook_id, attempt_id);
        """
}
