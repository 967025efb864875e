import ChatLocalStack
import CommonUtil
import Foundation
import Logging
import Synchronization

/// The stack of the faults: two message and two WebSocket servers, PostgreSQL durable as in production, and a proxy on each
/// link that can break.
final class FaultStack: Sendable {
    /// How PostgreSQL's standby follows the primary.
    enum Standby: Sendable {
        /// A commit is on both before it is acknowledged.
        case synchronous
        /// A commit is acknowledged once it is on the primary.
        case asynchronous
    }

    let processes: LocalStack
    let redisOfMessageServers: FaultProxy
    let redisOfWebSocketServers: FaultProxy
    let postgresOfWebSocketServers: FaultProxy
    private let standbyKind: Standby?
    private let standbyPort: Int?
    private let standby = Mutex<LocalPostgres?>(nil)
    /// The disk of PostgreSQL's data; nil if that is on the machine's own disk.
    let disk: SmallDisk?
    private let isTemporary: Bool
    private let hasFailedOver = Mutex(false)
    /// The disk of the store of files; nil if that is beside the spool of uploads.
    let storeDisk: SmallDisk?
    /// The S3 server that keeps the files; nil if a folder does.
    let s3: S3?

    /// The Redis user of the message servers, which can be denied single commands.
    static let publisher = "publisher"

    private init(
        folder: String?, standby: Standby?, hasSmallDisk: Bool, fileStore: FileStore,
        environmentOfWebSocketServer: [Int: [String: String]]
    ) async throws {
        isTemporary = folder == nil
        let folder = try folder ?? PrivateFolder.temporary(prefix: "chat-faults")
        try PrivateFolder.create(folder, mode: 0o711)
        let standbyPort = standby == nil ? nil : try FreePort.next()
        standbyKind = standby
        self.standbyPort = standbyPort
        let postgresPort = try FreePort.next()
        let redisPort = try FreePort.next()
        redisOfMessageServers = try await FaultProxy.start(to: redisPort, wire: .redis)
        redisOfWebSocketServers = try await FaultProxy.start(to: redisPort, wire: .redis)
        postgresOfWebSocketServers = try await FaultProxy.start(to: postgresPort)
        func databaseURL(_ port: Int) -> String {
            let hosts = ([port] + [standbyPort].compactMap { $0 }).map { "127.0.0.1:\($0)" }
            return "postgres://\(LocalPostgres.name)@\(hosts.joined(separator: ","))/\(LocalPostgres.name)"
        }
        let environment = [
            Settings.authMode.name: AuthMode.trusted.rawValue, Settings.logLevel.name: LogLevel.warning.rawValue,
            Settings.drainSeconds.name: "2", Settings.webhookAllow.name: ReachableHost.loopback,
            Settings.databaseURL.name: databaseURL(postgresPort),
        ].merging(Settings.withoutLimits) { $1 }
        s3 = fileStore == .s3 ? try await S3.start(folder: folder) : nil
        let redisOfPublisher = "redis://\(Self.publisher):none@127.0.0.1:\(redisOfMessageServers.port)"
        var configuration = LocalStack.Configuration(
            messageServers: 2, webSocketServers: 2, environment: environment,
            environmentOfKind: [
                .message: (s3?.environment ?? [:]).merging([Settings.redisURL.name: redisOfPublisher]) { $1 },
                .webSocket: [
                    Settings.redisURL.name: "redis://127.0.0.1:\(redisOfWebSocketServers.port)",
                    Settings.databaseURL.name: databaseURL(postgresOfWebSocketServers.port),
                ],
            ],
            postgresPort: postgresPort, redisPort: redisPort, durability: .full, folder: folder)
        configuration.environmentOfWebSocketServer = environmentOfWebSocketServer
        configuration.isReplicated = standby != nil
        configuration.redisSettings = ["user \(Self.publisher) on nopass ~* &* +@all"]
        if hasSmallDisk {
            // A small write-ahead log leaves most of the disk for tables.
            configuration.postgresSettings = ["max_wal_size": "64MB", "min_wal_size": "32MB"]
        }
        processes = try LocalStack(
            configuration, logger: Logger(label: "faults") { _ in SwiftLogNoOpLogHandler() })
        disk = hasSmallDisk ? SmallDisk(path: processes.postgres.configuration.folder) : nil
        storeDisk = fileStore == .smallDisk ? SmallDisk(path: Self.storeFolder(of: folder)) : nil
    }

    /// Starts one, runs `body` and stops it, whatever happened.
    /// - Parameter folder: where its data and logs stay; nil for a temporary folder.
    static func run<Result: Sendable>(
        folder: String? = nil, standby: Standby? = nil, hasSmallDisk: Bool = false, fileStore: FileStore = .folder,
        environmentOfWebSocketServer: [Int: [String: String]] = [:],
        _ body: @Sendable (FaultStack) async throws -> Result
    ) async throws -> Result {
        let stack = try await FaultStack(
            folder: folder, standby: standby, hasSmallDisk: hasSmallDisk, fileStore: fileStore,
            environmentOfWebSocketServer: environmentOfWebSocketServer)
        do {
            try await stack.disk?.mount()
            if let storeDisk = stack.storeDisk {
                try PrivateFolder.create(storeDisk.path, mode: 0o700)
                try await storeDisk.mount()
            }
            try await stack.processes.start()
            try await stack.startStandby()
            let result = try await body(stack)
            try await stack.stop()
            return result
        } catch {
            // Of its own, since this task may have been cancelled.
            await Task { try? await stack.stop() }.value
            throw error
        }
    }

    private func startStandby() async throws {
        guard let standbyPort else { return }
        let made = try await processes.postgres.makeStandby(
            folder: "\(processes.folder)/standby", port: standbyPort)
        standby.withLock { $0 = made }
        if standbyKind == .synchronous {
            try await processes.postgres.reload("synchronous_standby_names", "*")
        }
    }

    /// Ends replication: the standby keeps what it has and gets no further commits.
    func detachStandby() async throws {
        // A changed setting ends the WAL receiver, which then cannot reconnect (PostgreSQL manual, "Standby Servers").
        try await standby.withLock { $0 }?.reload("primary_conninfo", "host=127.0.0.1 port=1")
    }

    /// Ends the primary at once and makes the standby the primary.
    func failOver() async throws {
        try await processes.postgres.kill()
        try await standby.withLock { $0 }?.promote()
        hasFailedOver.withLock { $0 = true }
    }

    /// The PostgreSQL that takes commits.
    var primary: LocalPostgres {
        guard hasFailedOver.withLock({ $0 }), let standby = standby.withLock({ $0 }) else { return processes.postgres }
        return standby
    }

    private func stop() async throws {
        // A frozen engine could not stop.
        await processes.postgres.resume()
        await processes.redis.resume()
        try await setAllLinks(.pass)
        // The standby stops first: its folder is below the temporary folder that is removed with the rest.
        let stopped = await Task {
            try await standby.withLock { $0 }?.stop()
            try await processes.stop()
        }.result
        for disk in [disk, storeDisk].compactMap({ $0 }) { try await disk.unmount() }
        // A mount point cannot be removed before.
        if isTemporary { PrivateFolder.remove(processes.folder) }
        for proxy in proxies { try await proxy.stop() }
        try await s3?.stop()
        try stopped.get()
    }

    private var proxies: [FaultProxy] {
        [redisOfMessageServers, redisOfWebSocketServers, postgresOfWebSocketServers]
    }

    /// Prints the last log lines of each server.
    func sayLastLogLines() {
        for server in [processes.systemServer] + processes.messageServers + processes.webSocketServers {
            for line in server.logTail(5) { Terminal.print("    [\(server.kind.logName) \(server.port)] \(line)") }
        }
    }

    func setAllLinks(_ mode: FaultProxy.Mode) async throws {
        for proxy in proxies { try await proxy.set(mode) }
        try await s3?.proxy.set(mode)
    }

    /// Does the same to both links to Redis.
    func setRedisLinks(_ mode: FaultProxy.Mode) async throws {
        try await redisOfMessageServers.set(mode)
        try await redisOfWebSocketServers.set(mode)
    }

    /// Waits until all servers say that they are ready.
    /// - Throws: `LocalStackError` naming the one that does not.
    func waitUntilReady(within time: Duration) async throws {
        let deadline = ContinuousClock.now + time
        for server in [processes.systemServer] + processes.messageServers + processes.webSocketServers
        where try await !waitForReadiness(of: server, until: deadline, where: { $0.status == 200 }) {
            throw LocalStackError("\(server.kind.rawValue) is not ready \(time) after the fault was healed")
        }
    }

    /// Asks a server for its readiness until it is as wanted. A busy server may answer too late, or not know of a fault yet.
    /// - Returns: whether it was before the deadline.
    func waitForReadiness(
        of server: LocalServer, until deadline: ContinuousClock.Instant, where isWanted: (HTTPProbe.Answer) -> Bool
    ) async throws -> Bool {
        var backoff = Backoff(first: .milliseconds(20), longest: .milliseconds(250))
        while true {
            if let answer = try? await probe(server, "/health/ready"), isWanted(answer) { return true }
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: backoff.next())
        }
    }

    /// The sum of a metric over the servers of a kind, as far as they answer.
    func total(_ metric: String, labelled label: String? = nil, of servers: [LocalServer]) async -> Int {
        var total = 0.0
        for server in servers {
            total += await values(of: metric, labelled: label, at: server).reduce(0, +)
        }
        return Int(total)
    }

    /// The values of a metric of a server, one for each series; none if it does not answer.
    private func values(of metric: String, labelled label: String? = nil, at server: LocalServer) async -> [Double] {
        guard let text = await (try? probe(server, "/metrics"))?.body else { return [] }
        return text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix(metric), let next = line.dropFirst(metric.count).first, next == "{" || next == " ",
                label.map({ line.contains($0) }) ?? true
            else { return nil }
            return line.split(separator: " ").last.flatMap { Double($0) }
        }
    }

    /// The problems of the servers when all clients are gone: a process that ended by itself, or sessions that are still
    /// counted.
    func problemsWithoutClients(within time: Duration) async throws -> [String] {
        var problems: [String] = []
        for server in [processes.systemServer] + processes.messageServers + processes.webSocketServers {
            guard let status = await server.running?.exitStatus else { continue }
            problems.append("\(server.kind.rawValue) \(server.port) died: it \(status)")
        }
        let deadline = ContinuousClock.now + time
        for server in processes.webSocketServers where await server.running?.isRunning == true {
            var backoff = Backoff(first: .milliseconds(20), longest: .milliseconds(250))
            while true {
                let sessions = await values(of: "chat_sessions", at: server)
                if !sessions.isEmpty, sessions.allSatisfy({ $0 == 0 }) { break }
                guard ContinuousClock.now < deadline else {
                    problems.append("the gauges of sessions at \(server.port) did not return to 0: \(sessions)")
                    break
                }
                try await Task.sleep(for: backoff.next())
            }
        }
        return problems
    }

    func probe(_ server: LocalServer, _ path: String) async throws -> HTTPProbe.Answer {
        let port = server.port
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    with: Result { try HTTPProbe.get(port: port, path: path, timeout: .seconds(2)) })
            }
        }
    }
}
