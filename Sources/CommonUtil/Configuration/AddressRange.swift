import Glibc

/// An IPv4 or IPv6 address, or a CIDR range of them (RFC 4632, RFC 4291).
public struct AddressRange: Equatable, Sendable {
    private let prefix: [UInt8]
    private let bits: Int

    /// Reads `address` or `address/bits`.
    /// - Returns: `nil` for any other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.bytes(of: String(first)) else { return nil }
        prefix = bytes
        guard parts.count == 2 else {
            bits = bytes.count * 8
            return
        }
        // In an IPv4-mapped IPv6 address the first 96 bits are those of `::ffff:0:0/96`.
        let hidden = bytes.count == 4 && first.contains(":") ? 96 : 0
        guard let bits = Int(parts[1]), (hidden...hidden + bytes.count * 8).contains(bits) else { return nil }
        self.bits = bits - hidden
    }

    /// Reads a comma-separated list; an empty text is an empty list.
    static func list(text: String) -> [AddressRange]? {
        let parts = text.split(separator: ",").map { $0.filter { $0 != " " } }
        let ranges = parts.compactMap { AddressRange($0) }
        return ranges.count == parts.count ? ranges : nil
    }

    /// Whether an address, as text, is in the range. Text that is not an address is in none.
    public func contains(_ address: String) -> Bool {
        Self.bytes(of: address).map(contains) ?? false
    }

    /// Whether an address is in the range.
    /// - Parameter bytes: in network order, 4 or 16. An IPv4-mapped IPv6 address of 16 bytes does not count as IPv4.
    public func contains(_ bytes: [UInt8]) -> Bool {
        bytes.count == prefix.count
            && (0..<bits).allSatisfy { bit in
                let mask: UInt8 = 0x80 >> (bit % 8)
                return bytes[bit / 8] & mask == prefix[bit / 8] & mask
            }
    }

    /// The bytes in network order. An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) counts as IPv4.
    private static func bytes(of address: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, address, &bytes) == 1 { return Array(bytes[..<4]) }
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return nil }
        let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return bytes.starts(with: mappedPrefix) ? Array(bytes[12...]) : bytes
    }
}

/// The unit of per-address limits: an IPv4 address, or the `/64` of an IPv6 address, since each subscriber has at least a
/// whole `/64` (RFC 6177).
public enum AddressBlock {
    /// Returns the key of an address.
    /// - Parameter address: as text. Text that is not an address is returned as it is.
    public static func of(_ address: String) -> String {
        guard address.contains(":") else { return address }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        // An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2).
        if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10...11].allSatisfy({ $0 == 0xFF }) {
            return bytes[12...].map(String.init).joined(separator: ".")
        }
        let groups = stride(from: 0, to: 8, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        return groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
    }
}
