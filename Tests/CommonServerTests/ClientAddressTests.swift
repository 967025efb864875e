import CommonUtil
import HTTPTypes
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct ClientAddressTests {
    private let proxies = ["10.0.0.0/8", "::1"].compactMap { AddressRange($0) }

    @Test(
        arguments: [
            ("203.0.113.1", [], "203.0.113.1"), ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
            ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"), ("::1", ["198.51.100.1, 10.1.1.1"], "198.51.100.1"),
            // What the client made up stands first and is not believed.
            ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            // Through three proxies: a list that the client began, made of lines and of commas, with our ranges in it.
            ("10.0.0.1", ["10.9.9.9, 1.1.1.1", "203.0.113.9, 10.0.0.3", "10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", ["10.9.9.9", "10.0.0.3, 10.0.0.2"], "10.9.9.9"),
            // A stranger in the middle: what it says of those before it is its own word.
            ("10.0.0.1", ["198.51.100.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("203.0.113.1", ["198.51.100.1, 10.0.0.3", "10.0.0.2"], "203.0.113.1"),
            ("10.0.0.1", ["garbage"], "10.0.0.1"), ("10.0.0.1", ["1.1.1.1, garbage"], "10.0.0.1"),
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"), ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", ["\"[2001:db8::1]:4711\""], "2001:db8::1"),
            ("10.0.0.1", ["198.51.100.1:80, 10.0.0.2:80"], "198.51.100.1"),
            ("10.0.0.1", ["198.51.100.1:"], "10.0.0.1"), ("10.0.0.1", ["198.51.100.1:x"], "10.0.0.1"),
            ("10.0.0.1", ["198.51.100.1:123456"], "10.0.0.1"), ("10.0.0.1", ["[198.51.100.1]:80"], "10.0.0.1"),
            ("10.0.0.1", ["[2001:db8::1]80"], "10.0.0.1"), ("10.0.0.1", ["[2001:db8::1"], "10.0.0.1"),
            ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"), ("10.0.0.1", ["0.0.0.0/0"], "10.0.0.1"),
        ] as [(String, [String], String)])
    func `the nearest address that is no proxy is found`(peer: String, forwarded: [String], expected: String) {
        var headers = HTTPFields()
        for value in forwarded { headers.append(HTTPField(name: .forwardedFor, value: value)) }
        #expect(ClientAddress.find(headers: headers, peer: peer, trustedProxies: proxies) == expected)
    }

    @Test func `without trusted proxies no forwarded address is used`() {
        #expect(
            ClientAddress.find(headers: [.forwardedFor: "1.1.1.1"], peer: "10.0.0.1", trustedProxies: []) == "10.0.0.1")
    }
}
