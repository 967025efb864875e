import Foundation
import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    /// A server with a certificate that its own `openssl` made for 127.0.0.1.
    private func redis() async throws -> RedisFixture {
        try await RedisFixture { port, folder in
            let openssl = Process()
            openssl.executableURL = URL(filePath: "/usr/bin/openssl")
            openssl.currentDirectoryURL = folder
            openssl.arguments = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=redis",
                "-addext", "subjectAltName=IP:127.0.0.1",
            ]
            openssl.standardError = FileHandle.nullDevice
            try openssl.run()
            openssl.waitUntilExit()
            try #require(openssl.terminationStatus == 0)
            return [
                "--port", "0", "--tls-port", "\(port)", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
                "--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no",
            ].map { $0.hasSuffix(".pem") ? folder.appending(path: $0).path : $0 }
        }
    }

    @Test func `talks TLS to a server it trusts`() async throws {
        let redis = try await redis()
        var configuration = try Harness.configuration("rediss://127.0.0.1:\(redis.port)")
        configuration.trustRoots = .file(redis.folder.appending(path: "cert.pem").path)
        let trusting = configuration
        try await Harness.withSubscription(trusting) { subscription, events in
            try await subscription.subscribe(channels: ["a"])
            try await Harness.withClient(trusting) { client in
                let payload = ByteBuffer(repeating: 7, count: 1 << 20)
                try await client.ping()
                #expect(try await client.publish(payload, to: "a") == 1)
                #expect(try await events.messages.next().payload == payload)
            }
        }
    }

    @Test func `does not talk to one it does not`() async throws {
        let redis = try await redis()
        let configuration = try Harness.configuration("rediss://127.0.0.1:\(redis.port)")
        try await Harness.withSubscription(configuration) { _, events in
            guard case .lost(let reason) = try await events.states.first(where: \.isLost) else { return }
            #expect(reason.contains("CERTIFICATE_VERIFY_FAILED"))
        }
    }

    @Test func `a missing certificate file is a configuration error`() async throws {
        var configuration = try Harness.configuration("rediss://127.0.0.1:1")
        configuration.trustRoots = .file("/nowhere.pem")
        try await Harness.withSubscription(configuration) { _, events in
            guard case .lost(let reason) = try await events.states.first(where: \.isLost) else { return }
            #expect(reason.contains("invalid Redis configuration"))
        }
    }
}
