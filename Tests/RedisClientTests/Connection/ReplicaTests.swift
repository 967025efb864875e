import Testing

@testable import RedisClient

/// What is published on a replica does not reach those who subscribe to its primary.
@Suite(.timeLimit(.minutes(2))) struct ReplicaTests {
    @Test func `a replica is distinguished from a primary, also when it becomes one`() async throws {
        // Its primary need not be there.
        let server = try await RedisFixture { port, _ in ["--port", "\(port)", "--replicaof", "127.0.0.1 1"] }
        try await Harness.withClient(of: server) { client in
            #expect(await client.isReplica())
            try await client.send("REPLICAOF", "NO", "ONE")
            #expect(await !client.isReplica())
        }
        server.stop()
    }
}
