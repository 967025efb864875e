import ChatLocalStack
import CommonUtil
import Foundation

/// The plan of `chat up`, made of its options and the environment. Starts nothing.
struct UpPlan: Sendable {
    /// An absolute path.
    var folder: String
    var authMode: AuthMode
    /// Where the servers listen: a name or an IPv4 address of this machine.
    var host: String
    var ports: [ServerKind: Int]
    /// The URL of an external PostgreSQL; nil for a private one.
    var externalDatabase: String?
    /// The URL of an external Redis; nil for a private one.
    var externalRedis: String?
    /// `CHAT_…` variables of the person's environment that go to the servers as they are.
    var passedEnvironment: [String: String]
    /// Variables that are most likely misspelt.
    var unknownNames: [String]

    /// - Throws: ``ConfigurationError`` for a wrong value of a variable that is looked at here.
    init(
        trusted: Bool, dataFolder: String?, ports: [ServerKind: Int], environment: [String: String]
    ) async throws {
        let settings = try await ConfigurationSource(arguments: ["chat"], environment: environment)
        try settings.checkAll()
        func isSet(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }

        let folder = try dataFolder ?? settings.value(Settings.dataDirectory)
        self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path
        self.ports = ports
        for name in [Settings.port(default: 0).name, Settings.metricsPort.name] where isSet(name) {
            throw ConfigurationError(
                "\(name) is one port and `chat up` runs three servers: use --system-port, --message-port and "
                    + "--websocket-port")
        }
        host = try settings.value(Settings.host)
        guard !host.contains(":") else {
            throw ConfigurationError(
                "\(Settings.host.name) is '\(host)', allowed is for `chat up`: a name or an IPv4 address of this machine"
            )
        }
        unknownNames = settings.unknownNames
        authMode = trusted ? .trusted : try settings.value(Settings.authMode)
        externalDatabase =
            isSet(Settings.databaseURL.name) ? try settings.value(Settings.databaseURL) : nil
        externalRedis = isSet(Settings.redisURL.name) ? try settings.value(Settings.redisURL) : nil
        // Only known names: each of the three servers would warn of a misspelt one, so the warning is given here once.
        passedEnvironment = environment.filter { Settings.names.contains($0.key) && !$0.value.isEmpty }
    }

    func port(_ kind: ServerKind) -> Int { ports[kind] ?? kind.defaultPort }

    /// The host of the servers' URLs.
    var displayHost: String {
        let host = ReachableHost.of(host)
        return host == ReachableHost.loopback ? "localhost" : host
    }

    func url(_ kind: ServerKind) -> String { "http://\(displayHost):\(port(kind))" }

    /// The environment of the three servers.
    func serverEnvironment(databaseURL: String, redisURL: String) -> [String: String] {
        var environment = passedEnvironment
        environment[Settings.databaseURL.name] = databaseURL
        environment[Settings.redisURL.name] = redisURL
        environment[Settings.authMode.name] = authMode.rawValue
        environment[Settings.dataDirectory.name] = folder
        if environment[Settings.jwksURL.name] == nil {
            environment[Settings.jwksURL.name] =
                "http://\(ReachableHost.of(host)):\(port(.system))/.well-known/jwks.json"
        }
        for (setting, kind) in [(Settings.publicMessageURL, .message), (Settings.publicWebSocketURL, .webSocket)]
            as [(Setting<PublicAddress>, ServerKind)] where environment[setting.name] == nil
        {
            environment[setting.name] = PublicAddress.port(port(kind)).description
        }
        return environment
    }
}
