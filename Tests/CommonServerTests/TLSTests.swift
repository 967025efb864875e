import ChatTestSupport
import CommonUtil
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOSSL
import Testing

@testable import CommonServer

@Suite("TLS", .timeLimit(.minutes(2)))
struct TLSTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    private func settings(_ files: TestAuthority.Files) -> [String: String] {
        [Settings.tlsCertificateFile.name: files.certificate, Settings.tlsKeyFile.name: files.key]
    }

    @Test
    func
        `https responses say that browsers should stay with it; a client that does not trust the authority cannot connect`()
        async throws
    {
        let trusted = authority.file
        let foreign = try TestAuthority().file
        try await TestServer.run(settings: settings(try authority.issue())) { server in
            let client = RESTClient(baseURL: "https://localhost:\(server.port)", trusting: trusted)
            let answer = try await client.get("/health/live")
            #expect(answer.status == 200)
            #expect(answer.header("Strict-Transport-Security") == "max-age=31536000")
            #expect(answer.header("X-Content-Type-Options") == "nosniff")
            // By an address, too, if the certificate has it.
            #expect(
                try await RESTClient(baseURL: "https://127.0.0.1:\(server.port)", trusting: trusted)
                    .get("/health/live").status == 200)
            await #expect {
                _ = try await TLSConnection(port: server.port, trusting: foreign)
            } throws: { "\($0)".contains("CERTIFICATE_VERIFY_FAILED") }
            await #expect(throws: (any Error).self) { try await server.request(.GET, "/health/live") }
        }
    }

    @Test func `HTTP/1.1 is agreed on, and nothing older than TLS 1.2`() async throws {
        let trusted = authority.file
        try await TestServer.run(settings: settings(try authority.issue())) { server in
            let connection = try await TLSConnection(port: server.port, trusting: trusted)
            #expect(connection.applicationProtocol == "http/1.1")
            #expect(try await connection.ask("/health/live") == "HTTP/1.1 200 OK")
            try await connection.channel.close()
            let old = try await TLSConnection(port: server.port, trusting: trusted, maximumVersion: .tlsv12)
            try await old.channel.close()
            await #expect(throws: (any Error).self) {
                _ = try await TLSConnection(port: server.port, trusting: trusted, maximumVersion: .tlsv11)
            }
        }
    }

    @Test func `without TLS no response mentions it`() async throws {
        try await TestServer.run { server in
            let answer = try await server.request(.GET, "/health/live")
            #expect(answer.headers.first(name: "strict-transport-security") == nil)
            #expect(answer.headers.first(name: "x-content-type-options") == "nosniff")
        }
    }

    @Test func `after a reload new connections get the new certificate, and the open ones live on`() async throws {
        let files = try authority.issue()
        let trusted = authority.file
        let renewed = try authority.issue()
        try await TestServer.run(settings: settings(files)) { server in
            let open = try await TLSConnection(port: server.port, trusting: trusted)
            #expect(try open.certificate == NIOSSLCertificate.fromPEMFile(files.certificate).first)
            try files.replace(with: renewed)
            try #require(server.certificates).reload()
            let later = try await TLSConnection(port: server.port, trusting: trusted)
            #expect(try later.certificate == NIOSSLCertificate.fromPEMFile(renewed.certificate).first)
            #expect(later.certificate != open.certificate)
            for connection in [open, later] {
                #expect(try await connection.ask("/health/live") == "HTTP/1.1 200 OK")
                try await connection.channel.close()
            }
        }
    }

    @Test func `a pair that does not fit changes nothing`() async throws {
        let files = try authority.issue()
        let trusted = authority.file
        let other = try authority.issue()
        try await TestServer.run(settings: settings(files)) { server in
            let before = try await TLSConnection(port: server.port, trusting: trusted)
            try files.replace(with: .init(certificate: other.certificate, key: files.key))
            #expect(throws: ConfigurationError.self) { try server.certificates?.reload() }
            let after = try await TLSConnection(port: server.port, trusting: trusted)
            #expect(after.certificate == before.certificate)
            for connection in [before, after] { try await connection.channel.close() }
        }
    }

    // MARK: Settings

    private func refusal(_ settings: [String: String]) async throws -> String {
        do {
            let configuration = try await ConfigurationSource(arguments: ["test"], environment: settings)
            _ = try CertificateFiles(configuration).map { try CertificateSource($0) }
            _ = try TrustFile.path(configuration)
            return ""
        } catch let error as ConfigurationError {
            return error.description
        }
    }

    @Test func `a wrong file is named with its variable`() async throws {
        let (certificate, key, ca) = ("CHAT_TLS_CERTIFICATE_FILE", "CHAT_TLS_KEY_FILE", "CHAT_TLS_CA_FILE")
        let files = try authority.issue()
        let other = try authority.issue()
        #expect(try await refusal([certificate: files.certificate, key: files.key, ca: authority.file]).isEmpty)
        #expect(try await refusal([certificate: "", key: "", ca: ""]).isEmpty)

        let noKey = try await refusal([certificate: files.certificate])
        #expect(noKey.hasPrefix("\(key) is ''") && noKey.hasSuffix("since \(certificate) is set"))
        let noCertificate = try await refusal([key: files.key])
        #expect(noCertificate.hasPrefix("\(certificate) is ''") && noCertificate.hasSuffix("since \(key) is set"))

        for path in ["/nowhere.pem", files.key, "/"] {
            #expect(try await refusal([certificate: path, key: files.key]).hasPrefix("\(certificate) is '\(path)'"))
        }
        for path in ["/nowhere.pem", files.certificate, other.key] {
            #expect(try await refusal([certificate: files.certificate, key: path]).hasPrefix("\(key) is '\(path)'"))
        }
        for path in ["/nowhere.pem", files.key] {
            #expect(try await refusal([ca: path]).hasPrefix("\(ca) is '\(path)'"))
        }
    }

    // MARK: Who only connects

    @Test func `a handshake that is not finished after 10 s is cut, a finished one is not`() throws {
        let files = try authority.issue()
        let server = try CertificateFiles(certificate: files.certificate, key: files.key).read()
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: server), TLSHandshakeTimeout())
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: TLSHandshakeTimeout.time - .milliseconds(1))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)

        // One that goes on all the time is none that finishes.
        let dripping = EmbeddedChannel()
        try dripping.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: server), TLSHandshakeTimeout())
        dripping.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        for byte: UInt8 in [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03] {
            #expect(dripping.isActive)
            try dripping.writeInbound(ByteBuffer(bytes: [byte]))
            dripping.embeddedEventLoop.advanceTime(by: .seconds(1))
        }
        #expect(!dripping.isActive)

        let (client, peer) = (EmbeddedChannel(), EmbeddedChannel())
        let trusting = try NIOSSLContext(configuration: .trusting(authority.file))
        try client.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: trusting, serverHostname: "localhost"))
        try peer.pipeline.syncOperations.addHandlers(NIOSSLServerHandler(context: server), TLSHandshakeTimeout())
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        for channel in [peer, client] { channel.connect(to: address, promise: nil) }
        var isMoving = true
        while isMoving {
            isMoving = false
            for (from, to) in [(client, peer), (peer, client)] {
                while let bytes = try from.readOutbound(as: ByteBuffer.self) {
                    try to.writeInbound(bytes)
                    isMoving = true
                }
            }
        }
        #expect(peer.pipeline.syncOperations.isEncrypted)
        #expect(throws: (any Error).self) {
            _ = try peer.pipeline.syncOperations.handler(type: TLSHandshakeTimeout.self)
        }
        peer.embeddedEventLoop.advanceTime(by: TLSHandshakeTimeout.time * 2)
        #expect(peer.isActive)
        // Each waits for the other's closeDelay, which nobody carries over, for a while.
        for channel in [client, peer] {
            channel.close(promise: nil)
            channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        }
    }
}
