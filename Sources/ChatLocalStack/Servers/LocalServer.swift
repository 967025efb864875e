import Foundation
import Logging

/// One of our three servers as a child process.
public actor LocalServer {
    /// Which server is started, where, and with which variables.
    public struct Configuration: Sendable {
        /// Which of the three servers.
        public var kind: ServerKind
        /// Where it listens: a name or an IPv4 address of this machine.
        public var host: String
        /// The TCP port.
        public var port: Int
        /// Variables of the contract; `CHAT_PORT` is added, and `CHAT_HOST` if it is not there.
        public var environment: [String: String]
        /// A program and its arguments that run the server, such as valgrind; empty where it runs by itself.
        public var launcher: [String]
        /// The file to which output is appended.
        public var logFile: String
        /// The folder of the executable.
        public var buildFolder: String

        public init(
            _ kind: ServerKind, host: String = ReachableHost.loopback, port: Int, environment: [String: String],
            launcher: [String] = [], logFile: String, buildFolder: String = BuildFolder.current
        ) {
            self.kind = kind
            self.host = host
            self.port = port
            self.environment = environment
            self.launcher = launcher
            self.logFile = logFile
            self.buildFolder = buildFolder
        }
    }

    /// What the server was made with.
    public nonisolated let configuration: Configuration
    private let logger: Logger
    private var process: LocalProcess?

    /// Starts nothing.
    public init(_ configuration: Configuration, logger: Logger = Logger(label: "server")) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Which of the three servers.
    public nonisolated var kind: ServerKind { configuration.kind }
    /// The TCP port.
    public nonisolated var port: Int { configuration.port }
    /// `http://127.0.0.1:port`
    public nonisolated var url: String { "http://127.0.0.1:\(port)" }
    /// `ws://127.0.0.1:port/ws/chat`; of use with a WebSocket server.
    public nonisolated var webSocketURL: String { "ws://127.0.0.1:\(port)/ws/chat" }

    /// Starts the server and waits until `GET /health/ready` answers 200.
    /// - Throws: `LocalStackError` with its last log lines if it does not; `CancellationError`.
    public func start(timeout: Duration = .seconds(30)) async throws {
        let process = try launch()
        let port = port
        let host = ReachableHost.of(configuration.host)
        try await Readiness.wait(for: process, named: kind.rawValue, timeout: timeout) {
            try HTTPProbe.get(host: host, port: port, path: "/health/ready", timeout: .seconds(2)).status == 200
        }
        logger.info("\(kind.rawValue) is ready", metadata: ["port": "\(port)"])
    }

    /// Starts the server without waiting for anything, for instance while its database is away.
    @discardableResult
    public func launch() throws -> LocalProcess {
        if let process, process.isRunning { return process }
        var environment = ChildEnvironment.inherited
        environment["CHAT_HOST"] = configuration.host
        environment.merge(configuration.environment) { _, new in new }
        environment["CHAT_PORT"] = String(port)
        let executable = "\(configuration.buildFolder)/\(kind.rawValue)"
        guard access(executable, X_OK) == 0 else {
            throw LocalStackError("\(executable) is not built (swift build --product \(kind.rawValue))")
        }
        let command = configuration.launcher + [executable]
        let process = try LocalProcess(
            .init(command[0], Array(command.dropFirst()), environment: environment, logFile: configuration.logFile))
        self.process = process
        return process
    }

    /// `SIGTERM`, on which the server drains.
    /// - Parameter timeout: more than the 30 s after which a server ends by itself what hangs (`CHAT_DRAIN_SECONDS` and 10 s):
    ///   with the same time either of the two may be first.
    /// - Throws: `LocalStackError` if it does not exit with 0 in time; `CancellationError`.
    public func stop(timeout: Duration = .seconds(40)) async throws {
        guard let process else { return }
        self.process = nil
        let status = try await process.stop(timeout: timeout)
        guard status == .exited(0) else {
            throw LocalStackError(
                (["\(kind.rawValue) did not stop in good order: it \(status). Last lines of its log:"]
                    + process.logTail()).joined(separator: "\n  "))
        }
    }

    /// Ends it at once, as a crash does.
    public func kill() async throws {
        guard let process else { return }
        self.process = nil
        process.kill()
        _ = try await process.waitForExit()
    }

    /// Freezes it: connections stay open and nothing answers.
    public func pause() { process?.pause() }

    /// Lets a paused one go on.
    public func resume() { process?.resume() }

    /// The running server, for instance to wait for its unexpected end.
    public var running: LocalProcess? { process }

    /// The last lines of its log.
    public nonisolated func logTail(_ count: Int = 20) -> [String] {
        TextTail.lines(count, of: configuration.logFile)
    }
}
