import CommonLogging
import CommonUtil
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// The settings that all servers have in common, with the process's logger, metrics and event loops.
public struct ServerEnvironment: Sendable {
    /// The name of the process, as in its logs.
    public let name: String
    /// The source of further settings.
    public let configuration: ConfigurationSource
    /// The logger of the process.
    public let logger: Logger
    /// The metrics of the process.
    public let metrics: PrometheusRegistry
    /// The address to listen on (`CHAT_HOST`).
    public let host: String
    /// The port to listen on (`CHAT_PORT`).
    public let port: Int
    /// The port of `/metrics` (`CHAT_METRICS_PORT`); `nil` if it is on ``port``.
    public let metricsPort: Int?
    /// How callers are authenticated (`CHAT_AUTH_MODE`).
    public let authMode: AuthMode
    /// The origins whose pages may call (`CHAT_ALLOWED_ORIGINS`).
    public let allowedOrigins: AllowedOrigins
    /// The proxies whose `X-Forwarded-For` is used (`CHAT_TRUSTED_PROXIES`).
    public let trustedProxies: [AddressRange]
    /// Maximum number of open connections per address (`CHAT_LIMIT_CONNECTIONS_PER_ADDRESS`); 0 for no limit.
    let maximumConnectionsPerAddress: Int
    /// The certificate of the port's TLS; `nil` for plain HTTP.
    public let certificates: CertificateSource?
    /// A PEM file of certificate authorities to trust beside the system's (`CHAT_TLS_CA_FILE`), checked to be readable.
    public let trustFile: String?
    /// The event loops of the process.
    public let eventLoopGroup: any EventLoopGroup

    /// Reads the settings.
    /// - Throws: `ConfigurationError` for the first wrong one.
    public init(
        name: String, defaultPort: Int, configuration: ConfigurationSource, metrics: PrometheusRegistry,
        logger: Logger? = nil, eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) throws(ConfigurationError) {
        self.name = name
        self.configuration = configuration
        self.metrics = metrics
        self.logger = logger ?? Logger(label: name)
        self.eventLoopGroup = eventLoopGroup
        host = try configuration.value(Settings.host)
        port = try configuration.value(Settings.port(default: defaultPort))
        metricsPort = try configuration.value(Settings.metricsPort)
        authMode = try configuration.value(Settings.authMode)
        allowedOrigins = try configuration.value(Settings.allowedOrigins(authMode: authMode))
        trustedProxies = try configuration.value(Settings.trustedProxies)
        maximumConnectionsPerAddress = try configuration.value(Settings.limitConnectionsPerAddress)
        certificates = try CertificateFiles(configuration).map { files throws(ConfigurationError) in
            try CertificateSource(files)
        }
        trustFile = try TrustFile.path(configuration)
    }

    /// The logger of Hummingbird and the service groups, at `info` or above: below that they log the properties of each
    /// service, secrets included.
    var frameworkLogger: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .info)
        return logger
    }
}

/// The setting `CHAT_TLS_CA_FILE`: the authorities that sign the certificates of PostgreSQL, Redis and the system server.
enum TrustFile {
    /// Reads and checks the setting, so that a wrong file is found at start and not at the first connection.
    /// - Returns: the path of the file; `nil` if none is set.
    /// - Throws: `ConfigurationError` for a file without certificates.
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
