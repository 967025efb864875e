import ChatEventBus
import ChatLocalStack
import ChatTestSupport
import CommonUtil
import RedisClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    @Test func `an event that is published over TLS is received over TLS`() async throws {
        let authority = try TestAuthority()
        let files = try authority.issue()
        let port = try FreePort.next()
        let redis = try await LocalRedis.ephemeral(
            settings: [
                "tls-port \(port)", "tls-cert-file \(files.certificate)", "tls-key-file \(files.key)",
                "tls-ca-cert-file \(authority.file)", "tls-auth-clients no",
            ], logger: BusHarness.quiet)
        var configuration = try BusHarness.configuration("rediss://localhost:\(port)")
        configuration.trustFile = authority.file
        let trusting = configuration
        let roomID = RoomID.random()
        try await BusHarness.withSubscriber(trusting) { heard in
            try await heard.states.first { $0 }
            try await BusHarness.withClient(trusting) { client in
                try await client.ping()
                let publisher = EventPublisher(redis: client, logger: BusHarness.quiet)
                publisher.publish([event(1, in: roomID), event(2, in: roomID)])
                let events = try await heard.untilHeard(2, in: roomID)
                #expect(events == [event(1, in: roomID).heard, event(2, in: roomID).heard])
            }
        }
        try await redis.stop()
    }
}
