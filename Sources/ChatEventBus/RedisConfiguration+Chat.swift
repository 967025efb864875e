import CommonUtil
import RedisClient

extension RedisConfiguration {
    /// The configuration for `CHAT_REDIS_URL`, which also trusts the authorities in `CHAT_TLS_CA_FILE`.
    /// - Parameter name: the client name of its connections (`CLIENT SETNAME`).
    /// - Throws: `ConfigurationError` for an invalid URL.
    public static func chat(_ configuration: ConfigurationSource, name: String) throws(ConfigurationError) -> Self {
        let setting = Settings.redisURL
        let url = try configuration.value(setting)
        let trustFile = try configuration.value(Settings.tlsCAFile)
        do {
            var redis = try RedisConfiguration(url: url)
            redis.clientName = name
            redis.trustFile = trustFile
            return redis
        } catch {
            throw ConfigurationError(
                name: setting.name, held: url, isSecret: setting.isSecret, allowed: setting.allowed)
        }
    }
}
