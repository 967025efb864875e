import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct AddressRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false), ("192.168.1.7", "192.168.1.7", true),
        ("192.168.1.7", "192.168.1.8", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
        ("172.16.0.0/12", "172.31.255.255", true), ("172.16.0.0/12", "172.32.0.0", false),
        ("::1", "0:0:0:0:0:0:0:1", true), ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("::ffff:10.0.0.1", "10.0.0.1", true), ("10.0.0.0/8", "no address", false),
    ])
    func `a range contains its addresses`(range: String, address: String, isIn: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == isIn)
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "10.0.0.0/8/8", "host", "010.0.0.1",
    ])
    func `text that is no range is refused`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test func `a mapped range counts its bits as IPv6`() throws {
        let range = try #require(AddressRange("::ffff:10.0.0.0/104"))
        #expect(range.contains("10.9.9.9"))
        #expect(!range.contains("11.0.0.0"))
    }
}
