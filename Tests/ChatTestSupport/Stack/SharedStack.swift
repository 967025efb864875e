import ChatLocalStack
import CommonUtil

/// The whole system, running: one for each mode and test process, started when it is first asked for. It ends with the
/// process. Tests share it, so they use names of their own (``Unique``).
public final class SharedStack: Sendable {
    public enum Mode: String, Sendable, CaseIterable {
        case token, trusted
    }

    public let mode: Mode
    /// The processes: one system server, two message servers, two WebSocket servers and their engines.
    public let processes: LocalStack
    // A server hashes few passwords at once and lets few wait; tests ask for hundreds of users.
    let registrations = TestSlots(4)

    /// The stack of this mode.
    /// - Throws: `LocalStackError` if it does not start; then for every test that asks.
    public static func running(_ mode: Mode = .token) async throws -> SharedStack {
        try await SharedStacks.all.stack(mode)
    }

    fileprivate init(_ mode: Mode) async throws {
        self.mode = mode
        processes = try LocalStack(
            .init(
                messageServers: 2, webSocketServers: 2,
                environment: Self.environment.merging(["CHAT_AUTH_MODE": mode.rawValue]) { _, mode in mode }))
        ExitSweep.removeAtExit(folder: processes.folder)
        try await processes.start()
        for server in [processes.systemServer] + processes.messageServers + processes.webSocketServers {
            if let process = await server.running { ExitSweep.endAtExit(process) }
        }
        if let process = await processes.redis.running { ExitSweep.endAtExit(process) }
        if let process = await processes.postgres.running { ExitSweep.endAtExit(process) }
    }

    /// No limits, since all tests come from one address, and passwords that are cheap to hash.
    private static let environment = Settings.withoutLimits.merging(["CHAT_PASSWORD_COST": "12"]) { $1 }

    // MARK: Clients

    /// This client and those of the message servers hold every answer against the server's description.
    public var system: RESTClient {
        RESTClient(baseURL: processes.systemServer.url, describedBy: OpenAPIDescription.system)
    }

    /// One of the two message servers.
    public func messages(_ index: Int = 0) -> RESTClient {
        RESTClient(
            baseURL: processes.messageServers[index % processes.messageServers.count].url,
            describedBy: OpenAPIDescription.message)
    }

    /// The HTTP side of one of the two WebSocket servers.
    public func webSocket(_ index: Int = 0) -> RESTClient {
        RESTClient(baseURL: processes.webSocketServers[index % processes.webSocketServers.count].url)
    }

    /// The port of one of the two WebSocket servers.
    public func webSocketPort(_ index: Int = 0) -> Int {
        processes.webSocketServers[index % processes.webSocketServers.count].port
    }

    public var redis: RedisPublisher { RedisPublisher(port: processes.redis.port) }

    // MARK: Further servers

    /// What the servers of this stack are configured with.
    public var environment: [String: String] { processes.systemServer.configuration.environment }

    /// Runs one more server on this stack's engines, ready, for as long as `body` takes.
    public func withServer<Result: Sendable>(
        _ kind: ServerKind, _ environment: [String: String] = [:],
        _ body: (LocalServer) async throws -> Result
    ) async throws -> Result {
        let server = try makeServer(kind, environment)
        do {
            try await server.start(timeout: .seconds(60))
            let result = try await body(server)
            try await server.stop()
            return result
        } catch {
            try? await server.kill()
            throw error
        }
    }

    /// One more server on this stack's engines, not started.
    public func makeServer(_ kind: ServerKind, _ environment: [String: String] = [:]) throws -> LocalServer {
        let port = try FreePort.next()
        return LocalServer(
            .init(
                kind, port: port, environment: self.environment.merging(environment) { _, new in new },
                logFile: "\(processes.folder)/\(kind.logName)-extra-\(port).log"))
    }
}

/// The stacks of this process.
private actor SharedStacks {
    static let all = SharedStacks()

    private var starting: [SharedStack.Mode: Task<SharedStack, any Error>] = [:]

    func stack(_ mode: SharedStack.Mode) async throws -> SharedStack {
        let task =
            starting[mode]
            // Detached: the test that asks first may be cancelled, the others still want it.
            ?? Task.detached { try await SharedStack(mode) }
        starting[mode] = task
        return try await task.value
    }
}

/// Names that no other test uses.
public enum Unique {
    /// Twelve random letters after the prefix; fits room ids and usernames.
    public static func name(_ prefix: String = "t") -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        return prefix + "-" + String((0..<12).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }

    public static var userID: Int64 { .random(in: 1_000_000...(1 << 53) - 1) }
}
