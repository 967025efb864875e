import Foundation
import Logging

/// The whole system in private processes on free loopback ports: PostgreSQL, Redis, one system server and any number
/// of message and WebSocket servers. For benches, the fault suite and integration tests.
public final class LocalStack: Sendable {
    /// The parts of a stack and their settings.
    public struct Configuration: Sendable {
        /// The number of message servers, at least 1.
        public var messageServers: Int
        /// The number of WebSocket servers, at least 1.
        public var webSocketServers: Int
        /// Variables of the contract for all servers, for instance `CHAT_AUTH_MODE`.
        public var environment: [String: String]
        /// Further variables for all servers of a kind, for instance another way to Redis.
        public var environmentOfKind: [ServerKind: [String: String]]
        /// Further variables for single WebSocket servers, by their number from 0 on.
        public var environmentOfWebSocketServer: [Int: [String: String]] = [:]
        /// What runs the servers of a kind, for instance valgrind with its arguments.
        public var launcherOfKind: [ServerKind: [String]] = [:]
        /// The engines' ports; nil for free ones.
        public var postgresPort: Int?
        /// Redis' port; nil for a free one.
        public var redisPort: Int?
        /// What a commit of PostgreSQL survives.
        public var durability: LocalPostgres.Durability
        /// Further settings of `postgresql.conf`.
        public var postgresSettings: [String: String]
        /// Whether PostgreSQL may have standbys.
        public var isReplicated = false
        /// Further lines of `redis.conf`.
        public var redisSettings: [String] = []
        /// The folder of the servers' executables.
        public var buildFolder: String
        /// Where data and logs go; nil for a temporary folder that `stop()` removes.
        public var folder: String?

        public init(
            messageServers: Int = 1, webSocketServers: Int = 1, environment: [String: String] = [:],
            environmentOfKind: [ServerKind: [String: String]] = [:], postgresPort: Int? = nil, redisPort: Int? = nil,
            durability: LocalPostgres.Durability = .relaxed, postgresSettings: [String: String] = [:],
            buildFolder: String = BuildFolder.current, folder: String? = nil
        ) {
            self.messageServers = messageServers
            self.webSocketServers = webSocketServers
            self.environment = environment
            self.environmentOfKind = environmentOfKind
            self.postgresPort = postgresPort
            self.redisPort = redisPort
            self.durability = durability
            self.postgresSettings = postgresSettings
            self.buildFolder = buildFolder
            self.folder = folder
        }
    }

    /// The folder of data and logs.
    public let folder: String
    public let postgres: LocalPostgres
    public let redis: LocalRedis
    /// The one system server.
    public let systemServer: LocalServer
    public let messageServers: [LocalServer]
    public let webSocketServers: [LocalServer]
    private let removesFolder: Bool

    /// Chooses folders and ports; starts nothing.
    public init(_ configuration: Configuration = Configuration(), logger: Logger = Logger(label: "local-stack")) throws
    {
        let folder = try configuration.folder ?? PrivateFolder.temporary(prefix: "chat-stack")
        self.folder = folder
        removesFolder = configuration.folder == nil
        try PrivateFolder.create(folder, mode: 0o711)
        try PrivateFolder.create("\(folder)/data", mode: 0o700)
        var postgresConfiguration = LocalPostgres.Configuration(
            folder: "\(folder)/postgres", port: try configuration.postgresPort ?? FreePort.next(),
            durability: configuration.durability, authentication: .trust, settings: configuration.postgresSettings)
        postgresConfiguration.isReplicated = configuration.isReplicated
        let postgres = try LocalPostgres(postgresConfiguration, logger: logger)
        let redis = try LocalRedis(
            .init(
                folder: "\(folder)/redis", port: configuration.redisPort ?? FreePort.next(), authentication: .trust,
                settings: configuration.redisSettings),
            logger: logger)
        let systemPort = try FreePort.next()
        let messagePorts = try (1...max(1, configuration.messageServers)).map { _ in try FreePort.next() }
        let webSocketPorts = try (1...max(1, configuration.webSocketServers)).map { _ in try FreePort.next() }
        let environment = [
            "CHAT_DATABASE_URL": postgres.url, "CHAT_REDIS_URL": redis.url, "CHAT_DATA_DIR": "\(folder)/data",
            "CHAT_JWKS_URL": "http://127.0.0.1:\(systemPort)/.well-known/jwks.json",
            "CHAT_PUBLIC_MESSAGE_URL": ":\(messagePorts[0])", "CHAT_PUBLIC_WEBSOCKET_URL": ":\(webSocketPorts[0])",
        ].merging(configuration.environment) { _, new in new }
        func server(_ kind: ServerKind, port: Int, log: String, _ more: [String: String] = [:]) -> LocalServer {
            LocalServer(
                .init(
                    kind, port: port,
                    environment: environment.merging(configuration.environmentOfKind[kind] ?? [:]) { _, new in new }
                        .merging(more) { _, new in new },
                    launcher: configuration.launcherOfKind[kind] ?? [], logFile: "\(folder)/\(log).log",
                    buildFolder: configuration.buildFolder), logger: logger)
        }
        self.postgres = postgres
        self.redis = redis
        systemServer = server(.system, port: systemPort, log: ServerKind.system.logName)
        func servers(_ kind: ServerKind, ports: [Int], _ more: [Int: [String: String]] = [:]) -> [LocalServer] {
            ports.enumerated().map { server(kind, port: $1, log: "\(kind.logName)-\($0 + 1)", more[$0] ?? [:]) }
        }
        messageServers = servers(.message, ports: messagePorts)
        webSocketServers = servers(
            .webSocket, ports: webSocketPorts, configuration.environmentOfWebSocketServer)
    }

    /// Starts the engines, then the system server, then the others at once; each is ready before the next begins.
    /// What was started is stopped again if a later part fails.
    public func start() async throws {
        do {
            async let postgresReady: Void = postgres.start()
            async let redisReady: Void = redis.start()
            _ = try await (postgresReady, redisReady)
            try await systemServer.start()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in messageServers + webSocketServers { group.addTask { try await server.start() } }
                for try await _ in group {}
            }
        } catch {
            await stopQuietly()
            throw error
        }
    }

    /// Stops all in reverse order and removes a temporary folder.
    /// - Throws: the first thing that did not stop gracefully; the rest is stopped all the same.
    public func stop() async throws {
        if let failure = await stopQuietly() { throw failure }
    }

    @discardableResult
    private func stopQuietly() async -> (any Error)? {
        var first: (any Error)?
        func note(_ step: () async throws -> Void) async {
            do { try await step() } catch { first = first ?? error }
        }
        for server in webSocketServers.reversed() + messageServers.reversed() + [systemServer] {
            await note { try await server.stop() }
        }
        await note { try await redis.stop() }
        await note { try await postgres.stop() }
        if removesFolder { PrivateFolder.remove(folder) }
        return first
    }
}
