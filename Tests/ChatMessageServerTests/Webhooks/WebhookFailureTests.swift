import ChatStorage
import ChatTestSupport
import PostgresClient
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(2))) struct WebhookFailureTests {
    @Test func `what came of a delivery is stored later where the database takes no writes, and nothing is sent again`()
        async throws
    {
        try await ChangeFixture.run { fixture in
            try await fixture.talk(1)
            let receivers = Receivers { _, _ in
                // From here on no attempt can be stored.
                _ = try? await fixture.client.query(PostgresStatement("ALTER TABLE webhook_attempts RENAME TO away"))
                return ChangeFixture.ok
            }
            let id = try await fixture.webhook()
            try await ChangeFixture.running([fixture.dispatcher(receivers)]) {
                _ = try await receivers.requests.first(1)
                // Longer than the longest pause between two tries.
                try await Task.sleep(for: .seconds(3))
                #expect(receivers.requests.all.count == 1)
                _ = try await fixture.client.query(PostgresStatement("ALTER TABLE away RENAME TO webhook_attempts"))
                let head = try await fixture.repository.bounds().head
                let webhook = try await fixture.wait(id) { $0.cursor == head }
                #expect(webhook.lastError == nil)
                #expect(receivers.requests.all.count == 1)
            }
        }
    }

    @Test func `a server keeps its webhook while the row is locked, and takes no other's`() async throws {
        try await ChangeFixture.run { fixture in
            let id = try await fixture.webhook()
            let work = WebhookWorkRepository(ChatDatabase(fixture.client))
            #expect(try await work.acquire(1, for: .seconds(60)) == [id])
            #expect(try await work.acquire(2, for: .seconds(60)) == [])
            let (locked, isLocked) = AsyncStream.makeStream(of: Void.self)
            let (released, release) = AsyncStream.makeStream(of: Void.self)
            // As a delivery locks it that stores what came of it.
            let storing = Task {
                try await fixture.client.withTransaction { transaction in
                    _ = try await transaction.query(
                        PostgresStatement("SELECT true FROM webhooks WHERE webhook_id = $1 FOR UPDATE"), .text(id))
                    isLocked.finish()
                    for await _ in released {}
                }
            }
            for await _ in locked {}
            let extending = Task { try await work.acquire(1, for: .seconds(60)) }
            #expect(try await work.acquire(2, for: .seconds(60)) == [])
            release.finish()
            try await storing.value
            #expect(try await extending.value == [id])
        }
    }
}
