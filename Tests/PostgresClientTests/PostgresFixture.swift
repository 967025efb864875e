import ChatLocalStack
import Foundation
import Logging

@testable import PostgresClient

/// A private PostgreSQL server in a temporary folder, on a free port of the loopback interface.
final class PostgresFixture: Sendable {
    /// One for all tests that do not stop it; gone when the test process ends.
    static let shared: PostgresFixture = {
        let fixture = started()
        atexit { PostgresFixture.shared.remove() }
        return fixture
    }()

    private static let binaries = "/usr/lib/postgresql/15/bin"
    private let folder: String
    let port: Int

    var url: String { url(database: "postgres") }

    func url(database: String) -> String { "postgres://postgres@127.0.0.1:\(port)/\(database)" }

    private init(folder: String, port: Int) {
        self.folder = folder
        self.port = port
    }

    static func started() -> PostgresFixture {
        let folder = "/tmp/pgfixture-\(UUID().uuidString.prefix(8))"
        guard let port = try? FreePort.next() else { preconditionFailure("no free port") }
        let fixture = PostgresFixture(folder: folder, port: port)
        run(["mkdir", folder], asPostgres: false)
        if getuid() == 0 { run(["chown", "postgres", folder], asPostgres: false) }
        run(["\(binaries)/initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", "\(folder)/data"])
        fixture.start()
        return fixture
    }

    func start() {
        let options = """
            -p \(port) -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=200
            """
        Self.run([
            "\(Self.binaries)/pg_ctl", "start", "-w", "-D", "\(folder)/data", "-l", "\(folder)/log", "-o", options,
        ])
    }

    func stop() {
        Self.run(["\(Self.binaries)/pg_ctl", "stop", "-w", "-m", "fast", "-D", "\(folder)/data"])
    }

    func remove() {
        stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Not Foundation's `Process`: it waits for whoever holds its descriptors, and the server inherits them.
    private static func run(_ command: [String], asPostgres: Bool = true) {
        let user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        let words = (asPostgres && getuid() == 0 ? user : []) + command
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        let arguments = words.map { strdup($0) }
        defer { arguments.forEach { free($0) } }
        var process = pid_t()
        var status = posix_spawnp(&process, words[0], &actions, nil, arguments + [nil], environ)
        precondition(status == 0, "cannot run \(command)")
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        precondition(status == 0, "failed: \(command)")
    }
}

/// Says nothing: outages are what some tests are about.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs a test with a client of its own, and closes it at the end.
func withClient(
    to fixture: PostgresFixture = .shared, _ configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresClient) async throws -> Void
) async throws {
    var configuration = try PostgresConfiguration(url: fixture.url)
    configuration.maximumConnections = 2
    configuration.queryTimeout = .seconds(60)
    configuration.applicationName = "test-\(UUID().uuidString.prefix(8))"
    configure(&configuration)
    let client = PostgresClient(configuration: configuration, logger: quiet)
    do {
        try await body(client)
    } catch {
        await client.close()
        throw error
    }
    await client.close()
}

/// Holds an advisory lock until it is released.
func withLock(_ key: Int64, _ body: (_ unlock: () async throws -> Void) async throws -> Void) async throws {
    try await withClient { holder in
        try await holder.withConnection { session in
            _ = try await session.query("SELECT pg_advisory_lock($1)", .int8(key))
            try await body { _ = try await session.query("SELECT pg_advisory_unlock($1)", .int8(key)) }
        }
    }
}

/// Waits for something that has no event to wait for, such as a process of the server's ending.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw Timeout(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

struct Timeout: Error {
    let what: String
}

extension PostgresClient {
    /// Runs text that needs no parameters.
    func script(_ sql: String) async throws {
        try await withConnection { session in try await session.execute(script: sql) }
    }

    /// Reads one number.
    func number(_ sql: String, _ parameters: PostgresParameter...) async throws -> Int {
        try await query(PostgresStatement(sql), parameters)[0].decode(Int.self)
    }

    /// Backend processes that serve this client, by its `application_name`.
    func backends() async throws -> [Int32] {
        try await query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY 1",
            .text(configuration.applicationName)
        ).map { try $0.decode(Int32.self) }
    }
}
