import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@testable import PostgresClient

/// A server with `ssl=on`, its certificate for `localhost` alone.
@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    private func withServer(_ body: (_ port: Int) async throws -> Void) async throws {
        let files = try authority.issue(for: ["localhost"])
        // Root lends PostgreSQL the key, which must be its own user's.
        if geteuid() == 0, let user = getpwnam("postgres") {
            #expect(chown(files.key, user.pointee.pw_uid, user.pointee.pw_gid) == 0)
        }
        let server = try await LocalPostgres.ephemeral(
            settings: ["ssl": "on", "ssl_cert_file": files.certificate, "ssl_key_file": files.key], logger: quiet)
        do {
            try await body(server.port)
        } catch {
            try? await server.stop()
            throw error
        }
        try await server.stop()
    }

    /// The answer to a question whose answer is larger than any buffer, or why there is no connection.
    /// - Parameter time: the wait for a refusal, too: the client tries again until then.
    private static func ask(
        _ url: String, trustFile: String? = nil, within time: Duration = .seconds(20)
    ) async throws -> Result<String, PostgresError> {
        var configuration = try PostgresConfiguration(url: url)
        configuration.trustFile = trustFile
        configuration.maximumConnections = 1
        let client = PostgresClient(configuration: configuration, logger: quiet)
        let result: Result<String, PostgresError>
        do {
            let rows = try await client.query(
                """
                SELECT version || ' ' || length(repeat('x', 1000000)), repeat('x', 1000000) FROM pg_stat_ssl
                WHERE ssl AND pid = pg_backend_pid()
                """, [], timeout: time)
            #expect(try rows[0].decode(String.self, String.self).1.utf8.count == 1_000_000)
            result = .success(try rows[0].decode(String.self, String.self).0)
        } catch {
            result = .failure(error)
        }
        await client.close()
        return result
    }

    private static func refusal(_ url: String) async throws -> String {
        switch try await ask(url, within: .seconds(10)) {
        case .success(let answer): "connected: \(answer)"
        case .failure(.connectFailed(let reason)): reason
        case .failure(let error): "\(error)"
        }
    }

    @Test func `verify-full connects by name to a server with a valid certificate`() async throws {
        try await withServer { port in
            let url = "postgres://chat@localhost:\(port)/chat?sslmode=verify-full"
            #expect(try await Self.ask("\(url)&sslrootcert=\(authority.file)").get().hasPrefix("TLSv1."))
            #expect(try await Self.ask(url, trustFile: authority.file).get().hasPrefix("TLSv1."))
            // The URI's own word counts more.
            let stranger = try TestAuthority()
            let both = try await Self.ask("\(url)&sslrootcert=\(authority.file)", trustFile: stranger.file).get()
            #expect(both.hasPrefix("TLSv1."))
        }
    }

    @Test func `verify-full refuses another authority, another name and no TLS, with the reason`() async throws {
        try await withServer { port in
            let stranger = try TestAuthority()
            let query = "sslmode=verify-full&sslrootcert="
            let localhost = "postgres://chat@localhost:\(port)/chat?\(query)"
            // The same server, by a name that its certificate is not for.
            let address = "postgres://chat@127.0.0.1:\(port)/chat?\(query)"
            let urls = [localhost + stranger.file, address + authority.file, localhost + "/nowhere.pem"]
            // At once, since each takes all of its time.
            async let foreign = Self.refusal(urls[0])
            async let otherName = Self.refusal(urls[1])
            async let nowhere = Self.refusal(urls[2])
            let reasons = try await [foreign, otherName, nowhere]
            #expect(reasons[0].contains("certificate verify failed"), "\(reasons)")
            #expect(reasons[1].contains("does not match host name \"127.0.0.1\""), "\(reasons)")
            #expect(reasons[2].contains("\"/nowhere.pem\" does not exist"), "\(reasons)")
        }
    }

    @Test func `the trust file changes nothing where the URI requires no verification`() async throws {
        try await withServer { port in
            let stranger = try TestAuthority()
            let url = "postgres://chat@localhost:\(port)/chat"
            // With `sslrootcert` set libpq would verify here, and then fall back to no TLS.
            #expect(try await Self.ask(url, trustFile: stranger.file).get().hasPrefix("TLSv1."))
        }
    }
}
