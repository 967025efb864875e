extension ChatSchema {
    /// Sign-ins can be ended before their access tokens do, and a refresh can be repeated for a short while.
    ///
    /// - `access_expires_at`: the end of the last access token that was given out with a refresh token; NULL where the
    ///   server was an older one, whose access tokens do not name their sign-in.
    /// - `successor_salt`: see `RefreshToken.successor(salt:)`; erased soon after the token's first use.
    /// - `revocations`: one row for each sign-in that was ended while access tokens of it may live, and for each user one
    ///   for the tokens that name no sign-in (`sign_in_id` is NULL).
    static let revocationsMigration = """
        ALTER TABLE refresh_tokens
            ADD COLUMN access_expires_at timestamptz,
            ADD COLUMN successor_salt bytea;
        CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
        CREATE INDEX refresh_tokens_salts ON refresh_tokens (used_at) WHERE successor_salt IS NOT NULL;

        CREATE TABLE revocations (
            revocation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            user_id bigint NOT NULL,
            sign_in_id bigint,
            revoked_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE UNIQUE INDEX revocations_unnamed ON revocations (user_id) WHERE sign_in_id IS NULL;
        CREATE INDEX revocations_revoked_at ON revocations (revoked_at);
        CREATE INDEX revocations_expires_at ON revocations (expires_at);
        """
}
