import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct AddressBlockTests {
    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::9", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::9", "2001:db8:0:2::/64"), ("::1", "0:0:0:0::/64"), ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""), ("nonsense", "nonsense"), ("a:b", "a:b"),
    ])
    func `an IPv6 address counts by its 64 first bits`(address: String, block: String) {
        #expect(AddressBlock.of(address) == block)
    }
}
