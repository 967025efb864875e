import Glibc

/// The IP address of a connection's peer, in network byte order.
enum PeerAddress: Hashable {
    case ipv4(UInt32)
    case ipv6(network: UInt64, interface: UInt64)

    /// Reads the address from the kernel (`getpeername(2)`), since NIO has it only once the channel is active.
    init?(of descriptor: CInt) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isFound = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
        }
        guard isFound else { return nil }
        // The address is behind the family and the port, that of IPv6 also behind the flow (`ip(7)`, `ipv6(7)`).
        let address: PeerAddress? = withUnsafeBytes(of: storage) { bytes in
            switch CInt(storage.ss_family) {
            case AF_INET: .ipv4(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            case AF_INET6:
                .init(
                    network: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                    interface: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            default: nil
            }
        }
        guard let address else { return nil }
        self = address
    }

    /// An IPv4 address inside IPv6 (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2) counts as IPv4.
    init(network: UInt64, interface: UInt64) {
        let isMapped = network == 0 && UInt64(bigEndian: interface) >> 32 == 0xFFFF
        self =
            isMapped
            ? .ipv4(UInt32(truncatingIfNeeded: UInt64(bigEndian: interface)).bigEndian)
            : .ipv6(network: network, interface: interface)
    }

    /// The unit of per-address limits: an IPv4 address, or the `/64` of an IPv6 address, as ``AddressBlock`` has it for text.
    var block: PeerAddress {
        switch self {
        case .ipv4: self
        case .ipv6(let network, _): .ipv6(network: network, interface: 0)
        }
    }

    /// The address as text (`inet_ntop(3)`).
    var text: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let size = socklen_t(buffer.count)
            let end =
                switch self {
                case .ipv4(var address): inet_ntop(AF_INET, &address, buffer.baseAddress, size)
                case .ipv6(let network, let interface):
                    [network, interface].withUnsafeBytes {
                        inet_ntop(AF_INET6, $0.baseAddress, buffer.baseAddress, size)
                    }
                }
            return end.map { String(cString: $0) } ?? ""
        }
    }
}
