import Foundation
import Logging

/// A private Redis server: loopback only, nothing kept on disk.
public actor LocalRedis {
    /// Who may connect.
    public enum Authentication: Sendable {
        /// Anyone on this machine may connect.
        case trust
        /// A generated password, kept in a file of mode 0600.
        case password
    }

    /// The folder, the port and the settings of a server.
    public struct Configuration: Sendable {
        /// Holds the configuration file and the log; made if it is not there.
        public var folder: String
        /// The file to which the log is appended.
        public var logFile: String
        /// The TCP port on the loopback address.
        public var port: Int
        /// Who may connect.
        public var authentication: Authentication
        /// Further lines of `redis.conf`.
        public var settings: [String]

        /// - Parameter logFile: nil for `redis.log` in the folder.
        public init(
            folder: String, logFile: String? = nil, port: Int, authentication: Authentication = .password,
            settings: [String] = []
        ) {
            self.folder = folder
            self.logFile = logFile ?? "\(folder)/redis.log"
            self.port = port
            self.authentication = authentication
            self.settings = settings
        }
    }

    /// What the server was made with.
    public nonisolated let configuration: Configuration
    private let executable: String
    private let password: String?
    private let logger: Logger
    private let removesFolder: Bool
    private var process: LocalProcess?

    /// Finds the program; starts nothing.
    /// - Throws: `LocalStackError` if Redis is not installed or the folder cannot be used.
    public init(_ configuration: Configuration, logger: Logger = Logger(label: "redis")) throws {
        try self.init(configuration, removesFolder: false, logger: logger)
    }

    private init(_ configuration: Configuration, removesFolder: Bool, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        self.removesFolder = removesFolder
        try PrivateFolder.create(configuration.folder, mode: 0o700)
        executable = try RedisBinary.find(linkingIn: configuration.folder)
        switch configuration.authentication {
        case .trust: password = nil
        case .password: password = try PrivateFolder.keptPassword(in: configuration.folder)
        }
    }

    /// A started throw-away server in a temporary folder, which `stop()` removes.
    public static func ephemeral(
        authentication: Authentication = .trust, settings: [String] = [], logger: Logger = Logger(label: "redis")
    ) async throws -> LocalRedis {
        let redis = try LocalRedis(
            Configuration(
                folder: PrivateFolder.temporary(prefix: "chat-redis"), port: FreePort.next(),
                authentication: authentication, settings: settings),
            removesFolder: true, logger: logger)
        try await redis.start()
        return redis
    }

    // MARK: Addresses

    /// The TCP port on the loopback address.
    public nonisolated var port: Int { configuration.port }

    /// `redis://[:password@]127.0.0.1:port`
    public nonisolated var url: String {
        "redis://\(password.map { ":\($0)@" } ?? "")127.0.0.1:\(port)"
    }

    // MARK: Life

    /// Starts the server and waits until it answers.
    /// - Throws: `LocalStackError` if it does not start; `CancellationError`.
    public func start(timeout: Duration = .seconds(20)) async throws {
        guard process?.isRunning != true else { return }
        // By a file, not by arguments, which every user of the machine can read.
        let settings = "\(configuration.folder)/redis.conf"
        try PrivateFolder.writeSecret(settingsText, to: settings)
        let process = try LocalProcess(
            .init(executable, [settings], workingDirectory: configuration.folder, logFile: configuration.logFile))
        self.process = process
        let port = port
        try await Readiness.wait(for: process, named: "Redis", timeout: timeout) {
            let socket = try TCPSocket()
            try socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(1))
            try socket.write("PING\r\n")
            // An error that asks for the password is an answer, too.
            return try socket.read().first.map { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") } ?? false
        }
        logger.info("Redis is ready", metadata: ["port": "\(port)"])
    }

    /// Stops it gracefully. A throw-away server's folder is removed.
    public func stop() async throws {
        if let process {
            try await process.stop(timeout: .seconds(10))
            self.process = nil
        }
        if removesFolder { PrivateFolder.remove(configuration.folder) }
    }

    /// Stops it gracefully and starts it again on the same port, empty.
    public func restart() async throws {
        if let process { try await process.stop(timeout: .seconds(10)) }
        process = nil
        try await start()
    }

    /// Ends it at once, as `kill -9` does.
    public func kill() async throws {
        guard let process else { return }
        process.kill()
        _ = try await process.waitForExit()
        self.process = nil
    }

    /// Freezes it: connections stay open and nothing answers.
    public func pause() { process?.pause() }

    /// Lets a paused one go on.
    public func resume() { process?.resume() }

    /// The running server, for instance to wait for its unexpected end.
    public var running: LocalProcess? { process }

    /// Carries out one command, given as a line of words, for set-up work without a password.
    /// - Throws: `LocalStackError` with Redis' words where it refuses.
    public func run(_ command: String) throws {
        let socket = try TCPSocket()
        try socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(5))
        try socket.write("\(command)\r\n")
        let answer = try socket.read()
        guard answer.first != UInt8(ascii: "-") else {
            throw LocalStackError("Redis: \(String(decoding: answer, as: UTF8.self))")
        }
    }

    private var settingsText: String {
        var lines = [
            "bind 127.0.0.1", "port \(port)", "daemonize no", "save \"\"", "appendonly no", "dir \(quotedFolder)",
        ]
        if let password = password { lines.append("requirepass \(password)") }
        lines += configuration.settings
        return lines.joined(separator: "\n") + "\n"
    }

    // redis.conf takes double-quoted strings with C escapes.
    private var quotedFolder: String {
        let escaped = configuration.folder.replacing(#"\"#, with: #"\\"#).replacing(#"""#, with: #"\""#)
        return "\"\(escaped)\""
    }
}
