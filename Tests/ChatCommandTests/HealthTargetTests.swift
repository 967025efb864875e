import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct HealthTargetTests {
    @Test func `all three servers are asked, unless CHAT_PORT names one`() throws {
        #expect(try HealthTarget.choose(nil, environment: [:]).map(\.port) == [8080, 8081, 8082])
        #expect(try HealthTarget.choose(nil, environment: ["CHAT_PORT": "9"]).map(\.port) == [9])
        #expect(try HealthTarget.choose("websocket", environment: ["CHAT_PORT": "9"]).map(\.port) == [8082])
    }

    @Test func `servers are asked at CHAT_HOST, and at the loopback address where that means all addresses`() throws {
        func hosts(_ argument: String?, _ environment: [String: String]) throws -> Set<String> {
            Set(try HealthTarget.choose(argument, environment: environment).map(\.host))
        }
        #expect(try hosts(nil, ["CHAT_HOST": "192.0.2.7"]) == ["192.0.2.7"])
        #expect(try hosts(nil, ["CHAT_HOST": "192.0.2.7", "CHAT_PORT": "9"]) == ["192.0.2.7"])
        #expect(try hosts("system", ["CHAT_HOST": "192.0.2.7"]) == ["192.0.2.7"])
        for all in ["", "0.0.0.0", "::"] { #expect(try hosts(nil, ["CHAT_HOST": all]) == ["127.0.0.1"]) }
        #expect(try hosts("http://example.org", ["CHAT_HOST": "192.0.2.7"]) == ["example.org"])
    }

    @Test func `the server of a URL is asked`() throws {
        let target = try #require(try HealthTarget.choose("http://example.org:81/x", environment: [:]).first)
        #expect(target.host == "example.org")
        #expect(target.port == 81)
        #expect(try HealthTarget.choose("http://example.org", environment: [:]).first?.port == 80)
    }

    @Test func `over TLS a named server must have a trusted certificate, this machine's own need not`() throws {
        let url = try #require(try HealthTarget.choose("https://example.org", environment: [:]).first)
        #expect(url.port == 443 && url.transport == .tls)
        let own = ["CHAT_PORT": "9", "CHAT_TLS_CERTIFICATE_FILE": "c.pem"]
        #expect(try HealthTarget.choose(nil, environment: own).map(\.transport) == [.ownTLS])
        #expect(try HealthTarget.choose("system", environment: own).map(\.transport) == [.ownTLS])
        #expect(try HealthTarget.choose("http://example.org", environment: own).map(\.transport) == [.plain])
        #expect(try HealthTarget.choose(nil, environment: [:]).allSatisfy { $0.transport == .plain })
    }

    @Test(arguments: ["ftp://example.org", "unknown", "https://"])
    func `any other argument is an error`(argument: String) {
        #expect(throws: (any Error).self) { try HealthTarget.choose(argument, environment: [:]) }
    }
}
