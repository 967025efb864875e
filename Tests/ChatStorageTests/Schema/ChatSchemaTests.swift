import ChatTestSupport
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct ChatSchemaTests {
    @Test func `several processes may migrate an empty database at once`() async throws {
        let url = try await SharedEngines.database()
        let applied = try await withClient(url) { one in
            try await withClient(url) { other in
                async let first = ChatSchema.migrate(one)
                async let second = ChatSchema.migrate(other)
                return try await [first, second]
            }
        }
        #expect(applied.flatMap { $0 }.sorted() == ChatSchema.migrations.map(\.number))
    }

    @Test func `a second start changes nothing`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            #expect(try await ChatSchema.migrate(store.client) == [])
            #expect(try await store.rooms.room(.hall) != nil)
        }
    }

    @Test func `a database of a newer release is refused, not waited for`() async throws {
        try await withStore { store in
            try await store.client.script(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES (1000, 'newer', 'x')")
            await #expect(throws: PostgresError.self) {
                try await ChatSchema.migrateWhenReachable(store.client, logger: quiet)
            }
        }
    }
}
