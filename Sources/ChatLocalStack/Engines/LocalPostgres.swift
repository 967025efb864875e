import Foundation
import Logging

/// A private PostgreSQL server: a private data folder, loopback only, no Unix socket, a role and a database
/// named `chat`. It shares only the programs with an installed cluster.
public actor LocalPostgres {
    /// What a commit survives.
    public enum Durability: Sendable {
        /// As in production: a commit is on disk.
        case full
        /// `fsync=off`: survives a crash of the processes, not of the machine. For tests.
        case relaxed
    }

    /// Who may connect.
    public enum Authentication: Sendable {
        /// Anyone on this machine may connect. For throw-away data.
        case trust
        /// SCRAM-SHA-256 with a generated password, kept in a file of mode 0600.
        case password
    }

    /// The folder, the port and the settings of a server.
    public struct Configuration: Sendable {
        /// Holds `data/`, the log and the password; made if it is not there.
        public var folder: String
        /// The file to which the log is appended.
        public var logFile: String
        /// The TCP port on the loopback address.
        public var port: Int
        /// What a commit survives.
        public var durability: Durability
        /// Who may connect.
        public var authentication: Authentication
        /// Further settings of `postgresql.conf`.
        public var settings: [String: String]
        /// Whether it may have standbys (``LocalPostgres/makeStandby(folder:port:)``).
        public var isReplicated = false

        /// - Parameter logFile: nil for `postgres.log` in the folder.
        public init(
            folder: String, logFile: String? = nil, port: Int, durability: Durability = .full,
            authentication: Authentication = .password, settings: [String: String] = [:]
        ) {
            self.folder = folder
            self.logFile = logFile ?? "\(folder)/postgres.log"
            self.port = port
            self.durability = durability
            self.authentication = authentication
            self.settings = settings
        }
    }

    /// The role and the database that every engine has.
    public static let name = "chat"

    /// What the server was made with.
    public nonisolated let configuration: Configuration
    private let binaries: PostgresBinaries
    let password: String?
    let logger: Logger
    private let removesFolder: Bool
    private(set) var process: LocalProcess?

    /// Finds the programs and reads or makes the password; starts nothing.
    /// - Throws: `LocalStackError` if PostgreSQL is not installed or the folder cannot be used.
    public init(_ configuration: Configuration, logger: Logger = Logger(label: "postgres")) throws {
        try self.init(configuration, removesFolder: false, logger: logger)
    }

    private init(_ configuration: Configuration, removesFolder: Bool, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        self.removesFolder = removesFolder
        binaries = try PostgresBinaries.find()
        try PrivateFolder.create(configuration.folder, mode: 0o711)
        switch configuration.authentication {
        case .trust: password = nil
        case .password: password = try PrivateFolder.keptPassword(in: configuration.folder)
        }
    }

    /// A started throw-away engine in a temporary folder, which `stop()` removes: relaxed, no password.
    public static func ephemeral(
        settings: [String: String] = [:], logger: Logger = Logger(label: "postgres")
    ) async throws -> LocalPostgres {
        let postgres = try LocalPostgres(
            Configuration(
                folder: PrivateFolder.temporary(prefix: "chat-postgres"), port: FreePort.next(), durability: .relaxed,
                authentication: .trust, settings: settings),
            removesFolder: true, logger: logger)
        try await postgres.start()
        return postgres
    }

    // MARK: Addresses

    /// The TCP port on the loopback address.
    public nonisolated var port: Int { configuration.port }

    /// The libpq connection URI of the database `chat`, with the password if there is one.
    public nonisolated var url: String { url(database: Self.name) }

    /// The libpq connection URI of a database of this engine.
    public nonisolated func url(database: String) -> String { Self.url(password, port, database) }

    /// The libpq connection URI of the database `chat` of an engine that another process runs, if it has a password.
    public static func url(ofFolder folder: String, port: Int) -> String? {
        PrivateFolder.existingPassword(in: folder).map { url($0, port, name) }
    }

    private static func url(_ password: String?, _ port: Int, _ database: String) -> String {
        let secret = password.map { ":\($0)" } ?? ""
        return "postgres://\(name)\(secret)@127.0.0.1:\(port)/\(database)"
    }

    // MARK: Life

    /// Makes the data folder if there is none, starts the server and waits until it accepts connections.
    /// - Throws: `LocalStackError` if it does not start, or runs already in this folder; `CancellationError`.
    public func start(timeout: Duration = .seconds(60)) async throws {
        guard process?.isRunning != true else { return }
        let data = PostgresDataFolder(path: "\(configuration.folder)/data")
        try PrivateFolder.create(data.path, mode: 0o700)
        let account = try await PostgresAccount.choose(for: data.path)
        if !data.isInitialized {
            logger.info("Making a new database", metadata: ["folder": "\(data.path)"])
            try await initialize(data, account)
        }
        try await data.waitUntilUnused(timeout: .seconds(15))

        let command = account.running(binaries.postgres, ["-D", data.path] + serverArguments)
        // SIGINT is PostgreSQL's fast shutdown: sessions are ended, data is flushed (pg_ctl(1), "stop").
        let process = try LocalProcess(
            .init(command.executable, command.arguments, logFile: configuration.logFile, stopSignal: SIGINT))
        self.process = process
        let pid = process.pid
        try await Readiness.wait(for: process, named: "PostgreSQL", timeout: timeout) {
            data.postmaster.map { $0.pid == pid && $0.isReady } ?? false
        }
        logger.info("PostgreSQL is ready", metadata: ["port": "\(port)"])
    }

    /// Fast shutdown: sessions are ended, data is flushed. A throw-away engine's folder is removed.
    public func stop() async throws {
        if let process {
            try await process.stop()
            self.process = nil
        }
        if removesFolder { PrivateFolder.remove(configuration.folder) }
    }

    /// Stops it gracefully and starts it again on the same port and data.
    public func restart() async throws {
        if let process { try await process.stop() }
        process = nil
        try await start()
    }

    /// Ends it and its sessions at once, as `kill -9` does; `start()` recovers the data.
    public func kill() async throws {
        guard let process else { return }
        process.kill()
        _ = try await process.waitForExit()
        self.process = nil
    }

    /// Freezes it and its sessions: connections stay open and nothing answers.
    public func pause() { process?.pause() }

    /// Lets a paused one go on.
    public func resume() { process?.resume() }

    /// The running server, for instance to wait for its unexpected end.
    public var running: LocalProcess? { process }

    // MARK: Databases

    /// Makes an empty database, owned by the role `chat`. Its name may have letters, digits and underscores.
    /// - Returns: its connection URI.
    @discardableResult
    public func createDatabase(named name: String) async throws -> String {
        guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) else {
            throw LocalStackError("Not a database name: \(name)")
        }
        try await run(sql: #"CREATE DATABASE "\#(name)""#)
        return url(database: name)
    }

    /// Runs SQL in a database of this engine through `psql(1)`, for set-up work.
    /// - Returns: the rows, columns parted by `|`, without headings.
    @discardableResult
    public func run(sql: String, in database: String = LocalPostgres.name) async throws -> String {
        let output = "\(configuration.folder)/psql-\(UUID().uuidString.prefix(8)).out"
        defer { unlink(output) }
        // The password goes by the environment, which other users cannot read; arguments they can.
        var environment = ChildEnvironment.inherited
        environment["PGPASSWORD"] = password
        environment["PGCONNECT_TIMEOUT"] = "10"
        let psql = try LocalProcess(
            .init(
                binaries.psql,
                [
                    "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--host",
                    "127.0.0.1", "--port", String(port), "--username", Self.name, "--dbname", database, "--command",
                    sql,
                ], environment: environment, logFile: output))
        let status = try await psql.waitForExit()
        let text = TextTail.lines(1000, of: output).joined(separator: "\n")
        guard status == .exited(0) else { throw LocalStackError("psql \(status): \(text)") }
        return text
    }

    // MARK: Set-up

    private func initialize(_ data: PostgresDataFolder, _ account: PostgresAccount) async throws {
        try data.clear()
        try await runToEnd(
            account.running(
                binaries.initdb,
                [
                    "--pgdata", data.path, "--username", "postgres", "--encoding", "UTF8", "--locale", "C.UTF-8",
                    "--auth", "reject", "--no-instructions",
                ] + (configuration.durability == .relaxed ? ["--no-sync"] : [])))
        try data.writeAccessRules(
            role: Self.name, method: password == nil ? "trust" : "scram-sha-256",
            isReplicated: configuration.isReplicated)

        // Single-user mode, so that the superuser never needs a password or a way in over the network.
        let script = "\(configuration.folder)/setup.sql"
        try PrivateFolder.writeSecret(
            """
            CREATE ROLE \(Self.name) LOGIN CREATEDB\(configuration.isReplicated ? " REPLICATION" : "")\(password.map { " PASSWORD '\($0)'" } ?? "")
            CREATE DATABASE \(Self.name) OWNER \(Self.name)

            """, to: script)
        defer { unlink(script) }
        let single = account.running(binaries.postgres, ["--single", "-D", data.path, "template1"])
        let fromScript = ["-c", #"file=$1; shift; exec "$@" <"$file""#, "sh", script, single.executable]
        try await runToEnd(("/bin/sh", fromScript + single.arguments))
        try data.markInitialized()
    }

    func runToEnd(_ command: (executable: String, arguments: [String])) async throws {
        let process = try LocalProcess(
            .init(command.executable, command.arguments, logFile: configuration.logFile, stopSignal: SIGINT))
        do {
            let status = try await process.waitForExit()
            guard status == .exited(0) else {
                let lines = process.logTail().joined(separator: "\n  ")
                throw LocalStackError("Making the database failed: \(command.executable) \(status)\n  \(lines)")
            }
        } catch is CancellationError {
            // The next start makes a half-made folder again, and nothing may write into it meanwhile.
            process.kill()
            throw CancellationError()
        }
    }

    private var serverArguments: [String] {
        var settings = [
            "listen_addresses": "127.0.0.1", "port": String(port), "unix_socket_directories": "",
            "max_connections": "200", "shared_buffers": "128MB", "timezone": "UTC", "log_timezone": "UTC",
            "cluster_name": "chat",
        ]
        if configuration.durability == .relaxed {
            settings.merge(["fsync": "off", "full_page_writes": "off", "max_wal_size": "1GB"]) { _, new in new }
        }
        settings.merge(configuration.settings) { _, new in new }
        return settings.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0)=\($1)"] }
    }
}
