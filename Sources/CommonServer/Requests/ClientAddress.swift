import CommonAuth
import CommonUtil
import HTTPTypes
import NIOCore

/// The client's IP address behind trusted proxies: the nearest address of `X-Forwarded-For` that is not a proxy's.
public enum ClientAddress {
    /// Finds the client's address.
    /// - Parameters:
    ///   - headers: the fields of the request.
    ///   - peer: the address of the connection's other end.
    ///   - trustedProxies: the proxies whose `X-Forwarded-For` is used (`CHAT_TRUSTED_PROXIES`).
    /// - Returns: the address as text.
    public static func find(headers: HTTPFields, peer: String, trustedProxies: [AddressRange]) -> String {
        find(forwarded: headers[values: .forwardedFor], peer: peer, trustedProxies: trustedProxies)
    }

    /// Finds the client's address where there are no `HTTPFields`.
    /// - Parameter forwarded: the values of `X-Forwarded-For`, in order.
    public static func find(forwarded: [String], peer: String, trustedProxies: [AddressRange]) -> String {
        var address = peer
        // Each proxy appends the address of its peer, so the list is read from its end. Entries before the first
        // untrusted address were written by that address.
        var forwarded = forwarded.joined(separator: ",").split(separator: ",")
        while trustedProxies.contains(where: { $0.contains(address) }),
            let previous = forwarded.popLast().flatMap(Self.address(in:))
        {
            address = previous
        }
        return address
    }

    /// The address of an entry. Some proxies add a port, and write IPv6 in brackets then: `192.0.2.1:80`,
    /// `[2001:db8::1]:80`.
    private static func address(in entry: Substring) -> String? {
        let entry = entry.filter { $0 != " " && $0 != "\t" && $0 != "\"" }
        let isPort = { (text: Substring) in
            text.isEmpty
                || text.first == ":" && (2...6).contains(text.utf8.count) && text.dropFirst().allSatisfy(\.isNumber)
        }
        var address = entry[...]
        if entry.hasPrefix("[") {
            guard let close = entry.firstIndex(of: "]"), isPort(entry[entry.index(after: close)...]) else { return nil }
            address = entry[entry.index(after: entry.startIndex)..<close]
            guard address.contains(":") else { return nil }
        } else if let colon = entry.firstIndex(of: ":"), colon == entry.lastIndex(of: ":") {
            guard isPort(entry[colon...]) else { return nil }
            address = entry[..<colon]
        }
        return !address.contains("/") && AddressRange(address) != nil ? String(address) : nil
    }
}

extension ChatRequestContext {
    /// Returns the key that per-address limits use: the caller's IPv4 address, or the `/64` of its IPv6 address.
    public func countedAddress(headers: HTTPFields, trustedProxies: [AddressRange]) -> String {
        AddressBlock.of(clientAddress(headers: headers, trustedProxies: trustedProxies))
    }

    /// Returns the caller's IP address as text; empty where the connection has none, as a Unix socket.
    public func clientAddress(headers: HTTPFields, trustedProxies: [AddressRange]) -> String {
        ClientAddress.find(
            headers: headers, peer: remoteAddress?.ipAddress ?? "", trustedProxies: trustedProxies)
    }
}

extension HTTPField.Name {
    /// `X-Forwarded-For`: the addresses that a request passed, appended by each proxy.
    static let forwardedFor = HTTPField.Name(constant: "X-Forwarded-For")
}
