import Foundation
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct LocalPostgresTests {
    @Test func `a local PostgreSQL keeps its data through restart, crash and a new owner, and can be paused`()
        async throws
    {
        let folder = try TemporaryFolder()
        let configuration = LocalPostgres.Configuration(
            folder: folder.path, port: try FreePort.next(), durability: .relaxed, authentication: .password)
        let postgres = try LocalPostgres(configuration)
        try await postgres.start()

        let password = "\(folder.path)/password"
        let mode = try FileManager.default.attributesOfItem(atPath: password)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(postgres.url.contains(try String(contentsOfFile: password, encoding: .utf8)))
        #expect(try await postgres.run(sql: "SHOW server_encoding") == "UTF8")
        #expect(try await postgres.run(sql: "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "f")

        try await postgres.run(sql: "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        try await postgres.restart()
        try await postgres.run(sql: "INSERT INTO kept VALUES (2)")
        try await postgres.kill()
        try await postgres.start()
        #expect(try await postgres.run(sql: "SELECT sum(n) FROM kept") == "3")

        await postgres.pause()
        let paused = Task { try await postgres.run(sql: "SELECT 'awake'") }
        let early = OneShot<Void>()
        let watcher = Task {
            _ = try await paused.value
            early.fulfill(())
        }
        #expect(try await early.wait(timeout: .milliseconds(100)) == nil)
        await postgres.resume()
        #expect(try await paused.value == "awake")
        try await watcher.value

        let url = try await postgres.createDatabase(named: "suite_1")
        #expect(url == postgres.url(database: "suite_1"))
        await #expect(throws: LocalStackError.self) { try await postgres.createDatabase(named: "x\"; --") }
        try await postgres.stop()
        #expect(FreePort.isFree(configuration.port))

        var moved = configuration
        moved.port = try FreePort.next()
        let again = try LocalPostgres(moved)
        try await again.start()
        #expect(try await again.run(sql: "SELECT sum(n) FROM kept") == "3")
        let data = PostgresDataFolder(path: "\(folder.path)/data")
        await #expect {
            try await data.waitUntilUnused(timeout: .milliseconds(60))
        } throws: { error in
            "\(error)".contains("already runs")
        }
        try await again.stop()
    }

    @Test func `a server that is set back has what was committed before the copy, and goes on from there`() async throws
    {
        let folder = try TemporaryFolder()
        let postgres = try LocalPostgres(
            .init(
                folder: "\(folder.path)/postgres", port: try FreePort.next(), durability: .relaxed,
                authentication: .trust))
        try await postgres.start()
        try await postgres.run(sql: "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        try await postgres.backUp(to: "\(folder.path)/backup")
        try await postgres.run(sql: "INSERT INTO kept VALUES (2)")
        try await postgres.setBack(to: "\(folder.path)/backup")
        #expect(try await postgres.run(sql: "SELECT sum(n) FROM kept") == "1")
        try await postgres.run(sql: "INSERT INTO kept VALUES (4)")
        #expect(try await postgres.run(sql: "SELECT sum(n) FROM kept") == "5")
        try await postgres.stop()
    }

    @Test func `a server that cannot start reports its own error`() async throws {
        let folder = try TemporaryFolder()
        let postgres = try LocalPostgres(
            .init(
                folder: folder.path, port: try FreePort.next(), durability: .relaxed, authentication: .trust,
                settings: ["max_connections": "none"]))
        await #expect {
            try await postgres.start()
        } throws: { error in
            "\(error)".contains("max_connections")
        }
    }
}
