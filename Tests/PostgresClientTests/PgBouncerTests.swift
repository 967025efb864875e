import ChatLocalStack
import ChatTestSupport
import Foundation
import Synchronization
import Testing

@testable import PostgresClient

/// Debian's PgBouncer between the client and the server.
@Suite(.enabled(if: PgBouncer.executable != nil, "pgbouncer is not installed"), .timeLimit(.minutes(2)))
struct PgBouncerTests {
    @Test func `session mode works`() async throws {
        try await PgBouncer.running(mode: "session") { url in
            var configuration = try PostgresConfiguration(url: url)
            configuration.queryTimeout = .seconds(60)
            configuration.sessionSettings = ["jit": "off"]
            let client = PostgresClient(configuration: configuration, logger: quiet)
            try await client.checkRequirements(minimumVersion: 15)
            try await client.checkWritable(timeout: .seconds(20))
            let isPooled = client.pool.isPooled.load(ordering: .relaxed)
            #expect(isPooled)
            for _ in 0..<3 {
                let row = try await client.query(
                    "SELECT current_setting('jit'), current_setting('timezone'), current_setting('statement_timeout')")
                let (jit, zone, timeout) = try row[0].decode(String.self, String.self, String.self)
                #expect(jit == "off" && zone == "UTC" && timeout == "59500ms")
            }
            // More requests than connections, each prepared under the same names.
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 1...100 {
                    group.addTask { try await client.query("SELECT $1::int8", .int8(number))[0].decode(Int.self) }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 5_050)
            await client.close()
        }
    }

    @Test(arguments: ["transaction", "statement"])
    func `other modes are refused`(mode: String) async throws {
        try await PgBouncer.running(mode: mode) { url in
            let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
            let error = await #expect(throws: PostgresError.self) {
                try await client.checkRequirements(minimumVersion: 15)
            }
            #expect(error == .invalidConfiguration(ServerRequirements.sharedSessions))
            await client.close()
        }
    }

    /// The pooler keeps the server's session open and is configured to reset nothing: what a session holds would
    /// outlive its client.
    @Test func `migrations leave no lock`() async throws {
        try await PgBouncer.running(mode: "session", settings: ["server_reset_query": ""]) { url in
            let schema = "bounced_\(UUID().uuidString.prefix(8).lowercased())"
            let good = PostgresMigration(number: 1, name: "one", sql: "CREATE TABLE one (id int8)")
            let broken = PostgresMigration(number: 2, name: "two", sql: "SELEC")
            try await withClient { try await $0.script("CREATE SCHEMA \(schema)") }
            var configuration = try PostgresConfiguration(url: url)
            configuration.sessionSettings = ["search_path": schema]
            let migrator = PostgresClient(configuration: configuration, logger: quiet)
            #expect(try await migrator.migrate([good], lockKey: 815) == [1])
            await #expect(throws: PostgresError.self) { try await migrator.migrate([good, broken], lockKey: 815) }
            try await withClient { watcher in
                try await eventually("the lock is free") {
                    try await watcher.number(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 815")
                        == 0
                }
            }
            await migrator.close()
        }
    }
}

/// A PgBouncer of one's own in front of the shared server.
private enum PgBouncer {
    static let executable =
        ExecutableSearch.inPath("pgbouncer") ?? ["/usr/sbin/pgbouncer"].first { access($0, X_OK) == 0 }

    /// - Parameter body: gets the URI of the database `postgres` through the pooler.
    static func running(
        mode: String, settings: [String: String] = [:], _ body: (String) async throws -> Void
    ) async throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-pgbouncer")
        defer { PrivateFolder.remove(folder) }
        // It refuses to be root, and its user has to get at its files.
        chmod(folder, 0o755)
        let port = try FreePort.next()
        let all = [
            "listen_addr": "127.0.0.1", "listen_port": "\(port)", "unix_socket_dir": "", "auth_type": "trust",
            "auth_file": "\(folder)/users", "pool_mode": mode, "default_pool_size": "20",
        ].merging(settings) { _, own in own }
        let lines =
            ["[databases]", "* = host=127.0.0.1 port=\(PostgresFixture.shared.port)", "[pgbouncer]"]
            + all.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }
        try #""postgres" """#.write(toFile: "\(folder)/users", atomically: true, encoding: .utf8)
        try lines.joined(separator: "\n").write(toFile: "\(folder)/ini", atomically: true, encoding: .utf8)
        for file in ["users", "ini"] { chmod("\(folder)/\(file)", 0o644) }

        let user = ["/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        let command = (getuid() == 0 ? user : []) + [try #require(executable), "\(folder)/ini"]
        let process = try LocalProcess(
            .init(command[0], Array(command.dropFirst()), logFile: "\(folder)/log", stopSignal: SIGTERM))
        do {
            try await body("postgres://postgres@127.0.0.1:\(port)/postgres")
        } catch {
            for line in process.logTail() { print("pgbouncer: \(line)") }
            _ = try? await process.stop()
            throw error
        }
        _ = try await process.stop()
    }
}
