import Logging
import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(1))) struct AuthenticationTests {
    private func redis() async throws -> RedisFixture {
        try await RedisFixture { port, _ in ["--port", "\(port)", "--requirepass", "open sesame"] }
    }

    @Test func `the right password opens`() async throws {
        let redis = try await redis()
        let url = "redis://:open%20sesame@127.0.0.1:\(redis.port)"
        try await Harness.withClient(Harness.configuration(url)) { try await $0.ping() }
        let named = "redis://default:open%20sesame@127.0.0.1:\(redis.port)"
        try await Harness.withSubscription(Harness.configuration(named)) { subscription, _ in
            try await subscription.subscribe(channels: ["a"])
        }
    }

    /// The second argument is the ACL rule that lets the first in.
    @Test(arguments: [("redis://:shibboleth@127.0.0.1", ">shibboleth"), ("redis://127.0.0.1", "nopass")])
    func `a wrong or missing password is reported without it, and tried again`(_ url: String, rule: String) async throws
    {
        let redis = try await redis()
        let recorder = LogRecorder()
        var configuration = try RedisConfiguration(url: "\(url):\(redis.port)")
        configuration.maximumBackoff = .milliseconds(50)
        let states = EventLog<RedisSubscription.State>()
        let subscription = RedisSubscription(
            configuration: configuration, eventLoop: Harness.eventLoop, logger: recorder.logger, onMessages: { _ in },
            onStateChange: { states.append([$0]) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await subscription.run() }
            guard case .lost(let reason) = try await states.first(where: \.isLost) else { return }
            #expect(reason.contains("WRONGPASS") || reason.contains("NOAUTH"))
            // Once the server accepts it, the next attempt succeeds.
            try await Harness.withClient(
                Harness.configuration("redis://:open%20sesame@127.0.0.1:\(redis.port)")
            ) { client in
                try await client.send("ACL", "SETUSER", "default", .string(rule))
            }
            #expect(try await states.next() == .subscribed)
            group.cancelAll()
        }
        let text = recorder.entries.map(\.text).joined(separator: "\n")
        #expect(recorder.entries.filter { $0.level == .warning }.count == 1)
        #expect(!text.contains("shibboleth"))
    }
}
