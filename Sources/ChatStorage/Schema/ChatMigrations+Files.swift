/// The migration of files.
extension ChatSchema {
    /// Migration 10. What is known of files; their bytes are in a store, under the file's id.
    ///
    /// - `files`: `uses` is the number of messages that name the file. Once `deleted_at` is set nobody sees it any more; its
    ///   bytes are removed at `remove_at` and tried again later where that fails, and then the row goes too. Only where the
    ///   user was erased there can be messages that still name it: then the row stays, without `remove_at`.
    /// - `message_files`: which file a message names.
    /// - `file_uploads`: uploads in progress, each held by a server until `held_until`. The row is there before the first
    ///   byte is in the store, so that what a server leaves behind when it ends at any moment is found and removed.
    /// - `file_secrets`: the secrets of signed URLs. The last two are good.
    ///
    /// Servers of the previous release can run with this schema. A message that one of them deletes keeps its file.
    static let filesMigration = """
        CREATE TABLE files (
            file_id text COLLATE "C" PRIMARY KEY,
            room_id text COLLATE "C" NOT NULL,
            uploader_id bigint NOT NULL,
            name text NOT NULL,
            mime_type text NOT NULL,
            size bigint NOT NULL,
            sha256 bytea NOT NULL,
            width integer,
            height integer,
            thumbnail_of text COLLATE "C",
            idempotency_key text COLLATE "C",
            request_hash bytea,
            created_at timestamptz NOT NULL DEFAULT now(),
            uses bigint NOT NULL DEFAULT 0,
            deleted_at timestamptz,
            remove_at timestamptz
        ) WITH (fillfactor = 90);
        CREATE UNIQUE INDEX files_key ON files (uploader_id, idempotency_key)
            WHERE idempotency_key IS NOT NULL AND deleted_at IS NULL;
        CREATE UNIQUE INDEX files_thumbnail ON files (thumbnail_of)
            WHERE thumbnail_of IS NOT NULL AND deleted_at IS NULL;
        CREATE INDEX files_uploader ON files (uploader_id) INCLUDE (size) WHERE deleted_at IS NULL;
        CREATE INDEX files_unused ON files (created_at)
            WHERE uses = 0 AND thumbnail_of IS NULL AND deleted_at IS NULL;
        CREATE INDEX files_removal ON files (remove_at) WHERE remove_at IS NOT NULL;

        CREATE TABLE message_files (
            message_id bigint PRIMARY KEY,
            file_id text COLLATE "C" NOT NULL
        );

        CREATE TABLE file_uploads (
            file_id text COLLATE "C" PRIMARY KEY,
            uploader_id bigint NOT NULL,
            idempotency_key text COLLATE "C",
            request_hash bytea NOT NULL,
            holder bigint NOT NULL,
            held_until timestamptz NOT NULL
        ) WITH (fillfactor = 50);
        CREATE UNIQUE INDEX file_uploads_key ON file_uploads (uploader_id, idempotency_key)
            WHERE idempotency_key IS NOT NULL;
        CREATE INDEX file_uploads_held ON file_uploads (held_until);

        CREATE TABLE file_secrets (
            secret_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            secret bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        INSERT INTO file_secrets (secret)
            SELECT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
        """
}
