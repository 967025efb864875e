import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct AddressRulesTests {
    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255",
        "172.32.0.0",
        "192.0.0.9", "192.0.0.10", "192.0.1.0", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "2001:1::1", "2001:3::1", "2001:20::1",
        "2001:200::1", "2003::1", "64:ff9b::8.8.8.8",
    ])
    func `globally reachable addresses are permitted`(address: String) {
        #expect(AddressRules(allowed: []).permits(address, isEncrypted: true))
        #expect(!AddressRules(allowed: []).permits(address, isEncrypted: false))
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.0.11", "192.0.2.1", "192.88.99.1",
        "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:7f00:1", "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "64:ff9b:1::8.8.8.8", "100::1", "100:0:0:1::1",
        "2001::1", "2001:0:1::1", "2001:2::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1",
        "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "4000::1",
        "", "localhost", "127.1", "0x7f000001", "2130706433", "fe80::1%lo", "1.1.1.1 ", "[::1]",
    ])
    func `every other address is refused, and what is no address`(address: String) {
        #expect(!AddressRules(allowed: []).permits(address, isEncrypted: true))
    }

    @Test func `the operator allows addresses, for http as well`() throws {
        let rules = AddressRules(
            allowed: try ["127.0.0.1", "10.1.0.0/16", "fd00::/8"].map { try #require(AddressRange($0)) })
        for address in ["127.0.0.1", "10.1.255.1", "fd12::1"] {
            #expect(rules.permits(address, isEncrypted: false))
            #expect(rules.permits(address, isEncrypted: true))
        }
        for address in ["127.0.0.2", "10.2.0.1", "fc00::1", "::1"] {
            #expect(!rules.permits(address, isEncrypted: true), "\(address)")
        }
        #expect(!rules.permits("8.8.8.8", isEncrypted: false))
    }

    // MARK: Targets

    private struct Names: NameResolving {
        let answers: [String: [String]]
        func addresses(of name: String) async -> [String] { answers[name] ?? [] }
    }

    private let targets = WebhookTargets(
        resolver: Names(answers: [
            "good.example": ["8.8.8.8", "2606:4700::1"], "bad.example": ["10.0.0.1"],
            "mixed.example": ["8.8.8.8", "127.0.0.1"], "localhost": ["127.0.0.1"], "inside.example": ["10.9.0.1"],
        ]), rules: AddressRules(allowed: [AddressRange("10.9.0.0/16")].compactMap { $0 }))

    @Test func `a name leads to an address only where all of its addresses are permitted`() async throws {
        #expect(try await targets.address(of: try WebhookURL("https://good.example/x")) == "8.8.8.8")
        #expect(try await targets.address(of: try WebhookURL("https://1.1.1.1/x")) == "1.1.1.1")
        #expect(try await targets.address(of: try WebhookURL("http://inside.example/x")) == "10.9.0.1")
        for text in [
            "https://bad.example/", "https://mixed.example/", "https://localhost/", "https://none.example/",
            "http://good.example/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            let url = try WebhookURL(text)
            await #expect(throws: ChatError.self, "\(text)") { _ = try await targets.address(of: url) }
        }
    }
}
