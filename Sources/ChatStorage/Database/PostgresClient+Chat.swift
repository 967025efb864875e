import CommonUtil
import Logging
import PostgresClient

extension PostgresClient {
    /// Session settings under which each statement has one plan for each connection. Every statement here is a lookup
    /// or a short range in an index, at any size of the tables. By default PostgreSQL would plan the batch of posts
    /// again at each use for as long as batches have been small, which takes longer than to run it; and a plan made
    /// while a table was empty scans it until statistics are gathered again (manual, 20.7).
    static let steadyPlans = ["plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"]

    /// A write that needs new pages on the disk, and is rolled back: it takes no `seq` and is never visible. The text is
    /// too long and too random to fit into an existing page.
    static let writeProbe = PostgresCommand(
        """
        INSERT INTO room_events (room_id, seq, type, actor_id, at, name)
        SELECT gen_random_uuid()::text, 1, 'write_probe', 0, now(), string_agg(gen_random_uuid()::text, '')
        FROM generate_series(1, 1000)
        """)

    /// Makes the client that `CHAT_DATABASE_URL` describes, which also trusts the authorities in `CHAT_TLS_CA_FILE`.
    /// - Parameters:
    ///   - name: the `application_name` of its connections.
    ///   - queryTimeout: for callers with less time than usual.
    /// - Throws: `ConfigurationError` for a URI that libpq does not accept.
    public static func chat(
        _ configuration: ConfigurationSource, name: String, queryTimeout: Duration? = nil, logger: Logger
    ) throws -> PostgresClient {
        let setting = Settings.databaseURL
        let url = try configuration.value(setting)
        let trustFile = try configuration.value(Settings.tlsCAFile)
        do {
            var postgres = try PostgresConfiguration(url: url)
            postgres.applicationName = name
            postgres.trustFile = trustFile
            postgres.sessionSettings = steadyPlans
            postgres.writeProbe = [writeProbe]
            if let queryTimeout { postgres.queryTimeout = queryTimeout }
            return PostgresClient(configuration: postgres, logger: logger)
        } catch {
            throw ConfigurationError(
                name: setting.name, held: url, isSecret: setting.isSecret, allowed: setting.allowed)
        }
    }
}
