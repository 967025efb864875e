import CommonUtil
import Logging
import PostgresClient

extension PostgresClient {
    /// Every statement here is a lookup or a short range in an index, at any size of the tables: so one plan, made once
    /// for each connection, serves always. Left to itself PostgreSQL plans the batch of posts anew at each use for as
    /// long as the batches it has seen were small, which takes longer than to carry it out; and a plan that was made
    /// while a table was empty walks through it until statistics are gathered again (manual, 20.7).
    static let steadyPlans = ["plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"]

    /// Needs new pages on the disk, burns no number and is seen by nobody: it is rolled back. The text is too long and
    /// too random for the page that is at hand.
    static let writeProbe = PostgresCommand(
        """
        INSERT INTO room_events (room_id, seq, type, actor_id, at, name)
        SELECT gen_random_uuid()::text, 1, 'write_probe', 0, now(), string_agg(gen_random_uuid()::text, '')
        FROM generate_series(1, 1000)
        """)

    /// The client that `CHAT_DATABASE_URL` describes; `CHAT_TLS_CA_FILE` may vouch for the server. `queryTimeout` is for
    /// callers with less time than usual.
    /// - Throws: `ConfigurationError` for an URI that libpq does not take.
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
