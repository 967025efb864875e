import CommonUtil
import Glibc

/// To which addresses this server makes connections that others ask for: those that are globally reachable by IANA's
/// registries of special-purpose addresses (RFC 6890), and those that the operator allows.
///
/// A name has to have such addresses only, so that nobody leads this server into its own network by a name.
struct AddressRules {
    /// Further addresses (`CHAT_WEBHOOK_ALLOW`), to which plain http is allowed as well.
    let allowed: [AddressRange]

    /// Whether the operator has named the address.
    func isAllowed(_ address: String) -> Bool { allowed.contains { $0.contains(address) } }

    /// Whether connections to an address may be made.
    /// - Parameters:
    ///   - address: an IPv4 or IPv6 address as text; anything else is refused.
    ///   - isEncrypted: whether the connection has TLS.
    func permits(_ address: String, isEncrypted: Bool) -> Bool {
        isAllowed(address) || isEncrypted && Self.isGloballyReachable(address)
    }

    /// Whether an address is globally reachable by the registries as of 2025-10. Multicast addresses are not.
    static func isGloballyReachable(_ address: String) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return isGloballyReachable(v4: Array(bytes[..<4])) }
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return false }
        // IPv4 addresses behind a translator (RFC 6052) are judged by themselves.
        if translated.contains(bytes) { return isGloballyReachable(v4: Array(bytes[12...])) }
        // Global unicast (RFC 4291) is 2000::/3: nothing else is assigned to networks that everybody reaches. That leaves
        // out ::1, mapped and compatible IPv4 addresses, local ones and multicast.
        guard global.contains(bytes) else { return false }
        return exceptions6.contains { $0.contains(bytes) } || !special6.contains { $0.contains(bytes) }
    }

    private static func isGloballyReachable(v4 bytes: [UInt8]) -> Bool {
        exceptions4.contains { $0.contains(bytes) } || !special4.contains { $0.contains(bytes) }
    }

    // https://www.iana.org/assignments/iana-ipv4-special-registry
    private static let special4 = ranges(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        // Multicast, and reserved with the broadcast address.
        "224.0.0.0/4", "240.0.0.0/4")
    private static let exceptions4 = ranges("192.0.0.9/32", "192.0.0.10/32")

    // https://www.iana.org/assignments/iana-ipv6-special-registry
    private static let global = range("2000::/3")
    private static let translated = range("64:ff9b::/96")
    private static let special6 = ranges(
        // Protocol assignments with Teredo; documentation; 6to4, which leads to an IPv4 address.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
    private static let exceptions6 = ranges(
        "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28",
        "2001:30::/28")

    private static func range(_ text: StaticString) -> AddressRange {
        guard let range = AddressRange("\(text)") else { preconditionFailure("no range: \(text)") }
        return range
    }

    private static func ranges(_ texts: StaticString...) -> [AddressRange] { texts.map(range) }
}
