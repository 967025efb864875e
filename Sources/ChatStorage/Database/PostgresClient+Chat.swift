import CommonUtil
import Logging
import PostgresClient

extension PostgresClient {
    /// Every statement here is a lookup or a short range in an index, at any size of the tables: so one plan, made once
    /// for each connection, serves always. Left to itself PostgreSQL plans the batch of posts anew at each use for as
    /// long as the batches it has seen were small, which takes longer than to carry it out; and a plan that was made
    /// while a table was empty walks through it until statistics are gathered again (manual, 20.7).
    static let steadyPlans = ["plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"]

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
            if let queryTimeout { postgres.queryTimeout = queryTimeout }
            return PostgresClient(configuration: postgres, logger: logger)
        } catch {
            throw ConfigurationError(
                name: setting.name, held: url, isSecret: setting.isSecret, allowed: setting.allowed)
        }
    }
}
