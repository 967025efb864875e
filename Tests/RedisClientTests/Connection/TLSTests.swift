import ChatTestSupport
import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    /// A server that speaks TLS only, with a certificate for these names.
    private func redis(for names: [String] = ["localhost", "127.0.0.1"]) async throws -> RedisFixture {
        let files = try authority.issue(for: names)
        return try await RedisFixture { port, _ in
            [
                "--port", "0", "--tls-port", "\(port)", "--tls-cert-file", files.certificate, "--tls-key-file",
                files.key, "--tls-ca-cert-file", authority.file, "--tls-auth-clients", "no",
            ]
        }
    }

    private func configuration(_ url: String, trustFile: String?) throws -> RedisConfiguration {
        var configuration = try Harness.configuration(url)
        configuration.trustFile = trustFile
        return configuration
    }

    /// Why there is no connection.
    private func refusal(_ configuration: RedisConfiguration) async throws -> String {
        let reasons = EventLog<String>()
        try await Harness.withSubscription(configuration) { _, events in
            if case .lost(let reason) = try await events.states.first(where: \.isLost) { reasons.append([reason]) }
        }
        return try await reasons.next()
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `talks TLS to a server it trusts`(host: String) async throws {
        let redis = try await redis()
        let trusting = try configuration("rediss://\(host):\(redis.port)", trustFile: authority.file)
        try await Harness.withSubscription(trusting) { subscription, events in
            try await subscription.subscribe(channels: ["a"])
            try await Harness.withClient(trusting) { client in
                let payload = [UInt8](repeating: 7, count: 1 << 20)
                try await client.ping()
                #expect(try await client.publish(payload, to: "a") == 1)
                #expect(try await events.messages.next().payload == ByteBuffer(bytes: payload))
            }
        }
    }

    @Test func `does not talk to one it does not`() async throws {
        let redis = try await redis()
        let stranger = try TestAuthority()
        for trustFile in [nil, stranger.file] {
            let url = "rediss://127.0.0.1:\(redis.port)"
            #expect(
                try await refusal(configuration(url, trustFile: trustFile)).contains("CERTIFICATE_VERIFY_FAILED"))
        }
    }

    @Test func `does not talk to one of another name`() async throws {
        let redis = try await redis(for: ["redis.example", "127.0.0.2"])
        for host in ["localhost", "127.0.0.1"] {
            let url = "rediss://\(host):\(redis.port)"
            let reason = try await refusal(configuration(url, trustFile: authority.file))
            #expect(reason.contains("failedToValidateHostname"), "\(reason)")
        }
    }

    @Test func `a missing certificate file is a configuration error`() async throws {
        let reason = try await refusal(configuration("rediss://127.0.0.1:1", trustFile: "/nowhere.pem"))
        #expect(reason.contains("invalid Redis configuration"))
    }
}
