import CoreMetrics
import MetricsTestKit
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct PopulationMetricsTests {
    @Test func `small tables are counted, large ones estimated`() async throws {
        try await withStore { store in
            let registry = TestMetrics()
            let metrics = PopulationMetrics(ChatDatabase(store.client), factory: registry, logger: quiet)
            _ = try await store.users.insert(username: "ann", displayName: "Ann", passwordHash: "")
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            try await metrics.update()
            #expect(try registry.expectRecorder("chat_users").lastValue == 1)
            #expect(try registry.expectRecorder("chat_rooms").lastValue == 2)

            try await store.client.script(
                """
                INSERT INTO users (username, display_name, password_hash)
                SELECT 'user-' || number, '', '' FROM generate_series(1, 100000) AS number;
                ANALYZE users;
                INSERT INTO users (username, display_name, password_hash) VALUES ('one-more', '', '')
                """)
            try await metrics.update()
            // The estimate does not know of what came after ANALYZE.
            #expect(try registry.expectRecorder("chat_users").lastValue == 100_001)
        }
    }
}
