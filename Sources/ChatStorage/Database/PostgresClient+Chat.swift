import CommonUtil
import Logging
import PostgresClient

extension PostgresClient {
    /// The client that `CHAT_DATABASE_URL` describes.
    /// - Throws: `ConfigurationError` for an URI that libpq does not take.
    public static func chat(_ configuration: ConfigurationSource, name: String, logger: Logger) throws -> PostgresClient
    {
        let setting = Settings.databaseURL
        let url = try configuration.value(setting)
        do {
            var postgres = try PostgresConfiguration(url: url)
            postgres.applicationName = name
            return PostgresClient(configuration: postgres, logger: logger)
        } catch {
            throw ConfigurationError(
                name: setting.name, held: url, isSecret: setting.isSecret, allowed: setting.allowed)
        }
    }
}
