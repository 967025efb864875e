import CommonUtil
import S3Client

extension S3Configuration {
    /// The configuration of a store of files, with the credentials of `CHAT_S3_…`.
    /// - Parameter url: of endpoint and bucket, as it stands in `CHAT_FILE_STORE` behind `s3:`.
    /// - Throws: `ConfigurationError` for an invalid URL and for missing credentials.
    public static func chat(_ configuration: ConfigurationSource, url: String) throws(ConfigurationError) -> Self {
        let accessKey = try configuration.value(Settings.s3AccessKey)
        let secretKey = try configuration.value(Settings.s3SecretKey)
        let sessionToken = try configuration.value(Settings.s3SessionToken)
        for (value, setting) in [(accessKey, Settings.s3AccessKey), (secretKey, Settings.s3SecretKey)]
        where value.isEmpty {
            throw ConfigurationError("\(setting.name) is missing, which a store of files in S3 needs")
        }
        do {
            return try S3Configuration(
                url: url, accessKey: accessKey, secretKey: secretKey, sessionToken: sessionToken)
        } catch {
            // The URL is not shown: a password may have been written into it.
            throw ConfigurationError("CHAT_FILE_STORE: \(error)")
        }
    }
}
