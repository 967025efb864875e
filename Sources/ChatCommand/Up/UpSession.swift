import ChatLocalStack
import CommonUtil
import Foundation
import Logging

/// One `chat up` from start to stop.
final class UpSession: Sendable {
    private enum End {
        case interrupted
        case failed(any Error)
    }

    private let plan: UpPlan
    private let lock: FolderLock
    private let postgres: LocalPostgres?
    private let redis: LocalRedis?
    private let servers: [LocalServer]
    private let logs: LogWatcher

    /// Takes the folder and looks at the ports; starts nothing.
    /// - Throws: `LocalStackError` in one line if something is in the way.
    init(_ plan: UpPlan) throws {
        self.plan = plan
        let folder = plan.folder
        try Self.prepare(folder)
        lock = try FolderLock(folder)
        for kind in ServerKind.allCases { try Self.checkPort(of: kind, plan) }

        let ports = try KeptPorts.choose(in: folder)
        let quiet = Logger(label: "chat") { _ in SwiftLogNoOpLogHandler() }
        postgres =
            try plan.externalDatabase == nil
            ? LocalPostgres(
                .init(
                    folder: "\(folder)/\(KeptPorts.postgresFolder)", logFile: "\(folder)/log/postgres.log",
                    port: ports.postgres),
                logger: quiet) : nil
        redis =
            try plan.externalRedis == nil
            ? LocalRedis(
                .init(folder: "\(folder)/redis", logFile: "\(folder)/log/redis.log", port: ports.redis), logger: quiet)
            : nil
        let environment = plan.serverEnvironment(
            databaseURL: plan.externalDatabase ?? postgres?.url ?? "",
            redisURL: plan.externalRedis ?? redis?.url ?? "")
        servers = ServerKind.allCases.map { kind in
            LocalServer(
                .init(
                    kind, host: plan.host, port: plan.port(kind), environment: environment,
                    logFile: "\(folder)/log/\(kind.logName).log"),
                logger: quiet)
        }
        logs = try LogWatcher(folder: "\(folder)/log", names: ServerKind.allCases.map(\.logName))
    }

    private static func prepare(_ folder: String) throws {
        do {
            // Others may pass through, for PostgreSQL's own user; what is private in it is so by itself.
            try PrivateFolder.create(folder, mode: 0o711)
            guard access(folder, R_OK | W_OK | X_OK) == 0 else {
                throw LocalStackError("\(folder) belongs to another user")
            }
            try PrivateFolder.create("\(folder)/log", mode: 0o700)
            guard access("\(folder)/log", R_OK | W_OK | X_OK) == 0 else {
                throw LocalStackError("\(folder)/log belongs to another user")
            }
        } catch {
            throw LocalStackError("\(error); choose a folder of your own with --data-dir.")
        }
    }

    private static func checkPort(of kind: ServerKind, _ plan: UpPlan) throws {
        let port = plan.port(kind)
        switch try FreePort.state(of: port, on: plan.host) {
        case .free: return
        case .inUse:
            throw LocalStackError(
                "Port \(port) of the \(kind.logName) server is in use by another process; choose another with "
                    + "--\(kind.logName)-port.")
        case .elsewhere:
            throw ConfigurationError(
                name: Settings.host.name, held: plan.host, isSecret: false, allowed: Settings.host.allowed)
        case .refused(let reason):
            throw LocalStackError(
                "Cannot listen on port \(port) (\(reason)); choose another with --\(kind.logName)-port.")
        }
    }

    /// Runs until interrupted or until one part ends by itself; then stops all in reverse order.
    /// - Throws: the error that ended it, unless it was interrupted.
    func run() async throws {
        let interrupts = await Interrupts()
        let end = await withTaskGroup(of: End.self) { group in
            group.addTask {
                do {
                    try await self.start()
                    try await self.watch()
                    return .interrupted
                } catch is CancellationError {
                    return .interrupted
                } catch {
                    return .failed(error)
                }
            }
            group.addTask {
                await interrupts.wait()
                return .interrupted
            }
            let first = await group.next() ?? .interrupted
            group.cancelAll()
            return first
        }
        Terminal.print("\nStopping …")
        // Of its own, since everything above may have been cancelled.
        let failure = await Task { await self.stop() }.value
        if case .failed(let error) = end { throw error }
        if let failure { throw failure }
        Terminal.print("Stopped.")
    }

    private func start() async throws {
        if let postgres {
            Terminal.print("Starting PostgreSQL on 127.0.0.1:\(postgres.port) …")
            try await postgres.start()
        }
        if let redis {
            Terminal.print("Starting Redis on 127.0.0.1:\(redis.port) …")
            try await redis.start()
        }
        // The system server first: the schema is made by then, and the others find its keys.
        for server in servers {
            Terminal.print("Starting the \(server.kind.logName) server on \(plan.host):\(server.port) …")
            try await server.start(timeout: .seconds(60))
        }
        Terminal.print(StartupMessage(plan: plan, postgresPort: postgres?.port, redisPort: redis?.port).text)
    }

    /// Waits until any part ends, which none should.
    private func watch() async throws {
        var parts: [(name: String, process: LocalProcess)] = []
        if let process = await postgres?.running { parts.append(("PostgreSQL", process)) }
        if let process = await redis?.running { parts.append(("Redis", process)) }
        for server in servers {
            if let process = await server.running { parts.append(("The \(server.kind.logName) server", process)) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, process) in parts {
                group.addTask {
                    let status = try await process.waitForExit()
                    let tail = process.logTail(10).map { "\n  \($0)" }.joined()
                    throw LocalStackError(
                        "\(name) ended by itself: it \(status). Last lines of \(process.command.logFile):\(tail)")
                }
            }
            for try await _ in group {}
        }
    }

    /// - Returns: the first thing that did not stop gracefully; the rest is stopped all the same.
    private func stop() async -> (any Error)? {
        var first: (any Error)?
        func note(_ step: () async throws -> Void) async {
            do { try await step() } catch { first = first ?? error }
        }
        for server in servers.reversed() { await note { try await server.stop() } }
        await note { try await redis?.stop() }
        await note { try await postgres?.stop() }
        logs.stop()
        return first
    }
}
