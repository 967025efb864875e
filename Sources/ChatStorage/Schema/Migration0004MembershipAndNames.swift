extension ChatSchema {
    /// Who added a member, who left, who may add whom; from where an account was signed in to; finding names.
    ///
    /// Servers of the release before may go on while this is there: columns that they do not write have defaults, and
    /// `indexed_name` tells which names they stored (`NameIndexer`).
    static let membershipAndNamesMigration = """
        -- NULL for those who made the room or joined it, and for those who were there before this migration.
        ALTER TABLE room_members ADD COLUMN added_by bigint;
        -- Whose rooms a membership counts against (RoomLimits).
        CREATE INDEX room_members_counted ON room_members (coalesce(added_by, user_id), room_id);

        -- Whether they left of their own accord.
        ALTER TABLE former_members ADD COLUMN has_left boolean NOT NULL DEFAULT false;

        ALTER TABLE users ADD COLUMN who_may_add text NOT NULL DEFAULT 'everyone'
            CHECK (who_may_add IN ('everyone', 'shared', 'nobody'));
        -- The highest cost in use is its last entry.
        CREATE INDEX users_password_cost
            ON users ((substring(password_hash FROM '[$]ln=([0-9]{1,2}),')::integer));

        -- From where an account was signed in to, as pseudonyms.
        CREATE TABLE login_addresses (
            user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
            address text COLLATE "C" NOT NULL,
            seen_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, address)
        );

        -- Each name from each of its words on (FoldedName).
        ALTER TABLE users ADD COLUMN indexed_name text;
        CREATE INDEX users_not_indexed ON users (user_id) WHERE indexed_name IS DISTINCT FROM display_name;
        CREATE TABLE user_name_suffixes (
            user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
            suffix text COLLATE "C" NOT NULL,
            is_inside boolean NOT NULL,
            PRIMARY KEY (user_id, suffix)
        );
        CREATE INDEX user_name_suffixes_found ON user_name_suffixes (is_inside, suffix, user_id);

        ALTER TABLE rooms ADD COLUMN indexed_name text;
        CREATE INDEX rooms_not_indexed ON rooms (room_id)
            WHERE type = 'public' AND archived_at IS NULL AND indexed_name IS DISTINCT FROM name;
        CREATE TABLE room_name_suffixes (
            room_id text COLLATE "C" NOT NULL REFERENCES rooms ON DELETE CASCADE,
            suffix text COLLATE "C" NOT NULL,
            is_inside boolean NOT NULL,
            PRIMARY KEY (room_id, suffix)
        );
        CREATE INDEX room_name_suffixes_found ON room_name_suffixes (is_inside, suffix, room_id);
        """
}
