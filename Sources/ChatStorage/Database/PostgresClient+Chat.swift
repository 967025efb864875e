import CommonUtil
import Logging
import PostgresClient

extension PostgresClient {
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
            if let queryTimeout { postgres.queryTimeout = queryTimeout }
            return PostgresClient(configuration: postgres, logger: logger)
        } catch {
            throw ConfigurationError(
                name: setting.name, held: url, isSecret: setting.isSecret, allowed: setting.allowed)
        }
    }
}
