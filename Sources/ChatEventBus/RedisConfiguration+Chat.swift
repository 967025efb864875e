import CommonUtil
import RedisClient

extension RedisConfiguration {
    /// The Redis that `CHAT_REDIS_URL` describes.
    /// - Throws: `ConfigurationError` for an URL that is none.
    public static func chat(_ configuration: ConfigurationSource, name: String) throws(ConfigurationError) -> Self {
        let setting = Settings.redisURL
        let url = try configuration.value(setting)
        do {
            var redis = try RedisConfiguration(url: url)
            redis.clientName = name
            return redis
        } catch {
            throw ConfigurationError(
                name: setting.name, held: url, isSecret: setting.isSecret, allowed: setting.allowed)
        }
    }
}
