import CommonUtil
import NIOSSL

/// `CHAT_TLS_CA_FILE`: who may vouch for PostgreSQL, Redis and the system server.
enum TrustFile {
    /// - Returns: the path of a file that holds certificates, `nil` where none is named.
    /// - Throws: `ConfigurationError` for any other file, since its users would only notice one by one.
    static func path(_ configuration: ConfigurationSource) throws(ConfigurationError) -> String? {
        let setting = Settings.tlsCAFile
        guard let path = try configuration.value(setting) else { return nil }
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
            throw ConfigurationError(
                name: setting.name, held: path, isSecret: setting.isSecret, allowed: setting.allowed)
        }
        return path
    }
}
