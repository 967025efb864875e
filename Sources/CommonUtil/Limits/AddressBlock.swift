import Glibc

/// What limits count as one caller: an IPv4 address, or the `/64` that an IPv6 address is from, of which each subscriber
/// has at least one whole (RFC 6177).
public enum AddressBlock {
    /// - Parameter address: as text; what is no address stands for itself.
    public static func of(_ address: String) -> String {
        guard address.contains(":") else { return address }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        // An IPv4 address inside IPv6 (RFC 4291 section 2.5.5.2).
        if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10...11].allSatisfy({ $0 == 0xFF }) {
            return bytes[12...].map(String.init).joined(separator: ".")
        }
        let groups = stride(from: 0, to: 8, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        return groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
    }
}
