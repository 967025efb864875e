import Testing

@testable import RedisClient

/// What is published on a replica does not reach those who subscribe to its primary.
@Suite(.timeLimit(.minutes(2))) struct ReplicaTests {
    @Test func aReplicaIsToldFromAPrimary() async throws {
        // Its primary need not be there.
        let replica = try await RedisFixture { port, _ in
            ["--port", "\(port)", "--replicaof", "127.0.0.1 1"]
        }
        try await Harness.withClient(of: replica) { client in
            try await until(client) { $0.isReplica }
        }
        replica.stop()
    }

    @Test func aPrimaryIsNone() async throws {
        let primary = try await RedisFixture()
        try await Harness.withClient(of: primary) { client in
            for _ in 0..<3 { try await client.ping() }
            #expect(!client.isReplica)
        }
        primary.stop()
    }

    private func until(_ client: RedisClient, _ condition: (RedisClient) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !condition(client) {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
