import CommonUtil
import RedisClient

extension RedisConfiguration {
    /// The Redis that `CHAT_REDIS_URL` describes; `CHAT_TLS_CA_FILE` may vouch for it.
    /// - Throws: `ConfigurationError` for an URL that is none.
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
