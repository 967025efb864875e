import CommonLogging
import CommonUtil
import Logging
import NIOCore
import NIOPosix

/// What every server is given before it puts itself together.
public struct ServerEnvironment: Sendable {
    /// The process's name, as in logs.
    public let name: String
    public let configuration: ConfigurationSource
    public let logger: Logger
    public let metrics: PrometheusRegistry
    public let host: String
    public let port: Int
    /// Where `/metrics` is, if not on ``port``.
    public let metricsPort: Int?
    public let authMode: AuthMode
    public let allowedOrigins: AllowedOrigins
    public let trustedProxies: [AddressRange]
    /// Connections that may be open at a time; 0 for any number.
    let maximumConnectionsPerAddress: Int
    /// What the port's TLS is spoken with; `nil` for a port that speaks plain HTTP.
    public let certificates: CertificateSource?
    /// Certificate authorities to trust beside the system's, a file that was found good.
    public let trustFile: String?
    public let eventLoopGroup: any EventLoopGroup

    /// Reads the variables that all servers have in common.
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

    /// For Hummingbird and the service groups. Below `info` they log each service with all that is in it, and with that
    /// whatever secret a service was given.
    var frameworkLogger: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .info)
        return logger
    }
}
