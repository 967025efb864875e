import CommonUtil
import Testing

@testable import ChatSystemServer

@Suite(.timeLimit(.minutes(1))) struct PublicServersTests {
    private func system(host: String?, _ environment: [String: String] = [:]) async throws -> String {
        let configuration = try await ConfigurationSource(arguments: ["test"], environment: environment)
        return try PublicServers(configuration, authMode: .token).configuration(host: host).system.description
    }

    @Test(arguments: [
        ("localhost:9000", ":9000"), ("[::1]:9000", ":9000"), ("chat.example.org", ":8080"), ("[::1]", ":8080"),
        ("a:0", ":8080"), ("a:70000", ":8080"), ("a:-1", ":8080"), ("", ":8080"),
    ])
    func `without a setting the system server is where it was asked`(_ host: String, _ address: String) async throws {
        #expect(try await system(host: host) == address)
    }

    @Test func `without a host it is the default port`() async throws {
        #expect(try await system(host: nil) == ":8080")
    }

    @Test func `a setting goes before the host`() async throws {
        let environment = ["CHAT_PUBLIC_SYSTEM_URL": "https://chat.example.org"]
        #expect(try await system(host: "a:9000", environment) == "https://chat.example.org")
    }
}
