import CommonUtil
import HTTPTypes
import Testing

@testable import ChatSystemServer

@Suite(.timeLimit(.minutes(2))) struct WebClientPolicyTests {
    private func sources(
        _ directive: String = "connect-src", host: String?, _ environment: [String: String] = [:]
    ) async throws -> String {
        let configuration = try await ConfigurationSource(arguments: ["test"], environment: environment)
        let policy = try WebClientPolicy(PublicServers(configuration, authMode: .token)).headers(host: host)[
            .contentSecurityPolicy]
        let directives = try #require(policy).split(separator: ";").map { $0.drop { $0 == " " } }
        // One more or one less is somebody's header that got in.
        #expect(directives.count == 11)
        let found = try #require(directives.first { $0.hasPrefix("\(directive) ") })
        return found.dropFirst(directive.count + 1).description
    }

    @Test func `pictures and videos are those of links and of the browser itself`() async throws {
        #expect(try await sources("img-src", host: "a") == "'self' https: http: data: blob:")
        #expect(try await sources("media-src", host: "a") == "https: http: blob:")
        #expect(try await sources("script-src", host: "a") == "'self'")
    }

    @Test(arguments: [
        ("localhost:8080", "localhost"), ("chat.example.org", "chat.example.org"), ("10.0.0.1:80", "10.0.0.1"),
        // A policy knows no IPv6 addresses, and nothing that is no name gets into it.
        ("[::1]:8080", "*"), ("", "*"), ("a; script-src *", "*"), ("a b", "*"), ("a,b", "*"), ("a'", "*"),
    ])
    func `ports are those of the host that served the page`(_ field: String, _ host: String) async throws {
        #expect(try await sources(host: field) == "'self' http://\(host):8081 ws://\(host):8082 http://\(host):8082")
    }

    @Test func `without a host any host is allowed`() async throws {
        #expect(try await sources(host: nil) == "'self' http://*:8081 ws://*:8082 http://*:8082")
    }

    @Test func `a URL is its origin, whatever the host`() async throws {
        let environment = [
            "CHAT_PUBLIC_MESSAGE_URL": "https://m.example.org/path", "CHAT_PUBLIC_WEBSOCKET_URL": ":9000",
        ]
        #expect(try await sources(host: "a:1", environment) == "'self' https://m.example.org ws://a:9000 http://a:9000")
    }
}
