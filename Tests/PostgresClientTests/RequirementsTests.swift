import Testing

@testable import PostgresClient

/// Servers and roles that will do, and those that will not.
@Suite(.timeLimit(.minutes(2))) struct RequirementsTests {
    @Test func `an old server is refused`() {
        #expect(ServerRequirements.violation(version: 150_000, encoding: "UTF8", minimum: 15) == nil)
        #expect(ServerRequirements.violation(version: 170_002, encoding: "UTF8", minimum: 15) == nil)
        let violation = ServerRequirements.violation(version: 140_009, encoding: "UTF8", minimum: 15)
        #expect(violation?.contains("PostgreSQL 14") == true)
    }

    @Test func `a supported server is accepted`() async throws {
        try await withClient { client in try await client.checkRequirements(minimumVersion: 15) }
    }

    @Test func `a database that is not UTF8 is refused`() async throws {
        try await withClient { client in
            let name = "latin_\(client.configuration.applicationName.suffix(8).lowercased())"
            _ = try await client.query(
                PostgresStatement("CREATE DATABASE \(name) ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"))
            let url = PostgresFixture.shared.url(database: name)
            let inside = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
            let error = await #expect(throws: PostgresError.self) {
                try await inside.checkRequirements(minimumVersion: 15)
            }
            await inside.close()
            guard case .invalidConfiguration(let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("LATIN1") && reason.contains("UTF8"))
        }
    }

    // MARK: A role that may not change the schema

    private let first = PostgresMigration(number: 1, name: "one", sql: "CREATE TABLE things (id int8)")
    private let second = PostgresMigration(number: 2, name: "two", sql: "CREATE TABLE more_things (id int8)")

    @Test func `a role without CREATE works with a migrated database`() async throws {
        try await withClient { admin in
            let name = "rights_\(admin.configuration.applicationName.suffix(8).lowercased())"
            _ = try await admin.query(PostgresStatement("CREATE DATABASE \(name)"))
            _ = try await admin.query(PostgresStatement("CREATE ROLE \(name) LOGIN"))
            let port = PostgresFixture.shared.port
            func client(as role: String) throws -> PostgresClient {
                let url = "postgres://\(role)@127.0.0.1:\(port)/\(name)"
                return PostgresClient(configuration: try PostgresConfiguration(url: url), logger: quiet)
            }
            let owner = try client(as: "postgres")
            let server = try client(as: name)
            let early = await #expect(throws: PostgresError.self) { try await server.migrate([first], lockKey: 1) }
            guard case .migration(let reason) = early else {
                Issue.record("\(String(describing: early))")
                return
            }
            #expect(reason.contains("migration 1") && reason.contains("permission denied"))

            #expect(try await owner.migrate([first], lockKey: 1) == [1])
            try await owner.script("GRANT SELECT ON schema_migrations TO \(name)")
            #expect(try await server.migrate([first], lockKey: 1) == [])
            try await server.checkWritable(timeout: .seconds(20))
            let late = await #expect(throws: PostgresError.self) {
                try await server.migrate([first, second], lockKey: 1)
            }
            guard case .migration(let lateReason) = late else {
                Issue.record("\(String(describing: late))")
                return
            }
            #expect(lateReason.contains("migration 2"))
            await owner.close()
            await server.close()
        }
    }
}
