import CommonUtil
import Testing

@Suite("Public addresses", .timeLimit(.minutes(2)))
struct PublicAddressTests {
    private func address(_ text: String) async throws -> PublicAddress {
        try await ConfigurationSource(arguments: ["test"], environment: ["CHAT_PUBLIC_MESSAGE_URL": text])
            .value(Settings.publicMessageURL)
    }

    @Test func `a port, or an origin and a path, that read as they are written`() async throws {
        #expect(try await address("") == .port(8081))
        #expect(try await address(":1") == .port(1))
        #expect(try await address("http://localhost:8081") == .url(origin: "http://localhost:8081", path: ""))
        #expect(try await address("https://a.b-c.d/") == .url(origin: "https://a.b-c.d", path: ""))
        let long = try await address("https://a/b/c~_.-9//")
        #expect(long == .url(origin: "https://a", path: "/b/c~_.-9"))
        #expect(long.description == "https://a/b/c~_.-9")
        #expect(PublicAddress.port(8081).description == ":8081")
    }

    @Test(arguments: [
        ":", ":0", ":65536", ":+1", ":1a", "8081", "localhost:8081", "//a", "https://", "https:///a", "wss://a",
        "HTTPS://a", "javascript:a", "https://a:b", "https://a:", "https://a:1:2", "https://u@a", "https://a b",
        "https://a;b", "https://a,b", "https://*", "https://[::1]", "https://a/;", "https://a/?b", "https://a/#b",
        "https://a/ b", "https://a/%20", "https://ü",
    ])
    func `other addresses are refused`(_ text: String) async throws {
        await #expect(throws: ConfigurationError.self) { try await address(text) }
    }

    @Test(arguments: [("wss://a", true), ("ws://a:1", true), ("https://a", false)])
    func `only the schemes of a setting are accepted`(_ text: String, _ isGood: Bool) async throws {
        let source = try await ConfigurationSource(
            arguments: ["test"], environment: ["CHAT_PUBLIC_WEBSOCKET_URL": text])
        #expect(((try? source.value(Settings.publicWebSocketURL)) != nil) == isGood)
    }
}
