import CommonUtil
import HTTPTypes
import NIOCore

/// Whom per-address limits count: the nearest address that is none of our proxies.
public enum ClientAddress {
    /// The caller's IP address as text. `peer` is the other end of the connection; the `X-Forwarded-For` of
    /// `trustedProxies` (`CHAT_TRUSTED_PROXIES`) is believed.
    public static func find(headers: HTTPFields, peer: String, trustedProxies: [AddressRange]) -> String {
        find(forwarded: headers[values: .forwardedFor], peer: peer, trustedProxies: trustedProxies)
    }

    /// The same, where there are no `HTTPFields`: `forwarded` holds the values of `X-Forwarded-For`.
    public static func find(forwarded: [String], peer: String, trustedProxies: [AddressRange]) -> String {
        var address = peer
        // Each proxy appends the address it heard from, so the list is read from its end; what stands before the first
        // stranger is that stranger's word.
        var forwarded = forwarded.joined(separator: ",").split(separator: ",")
        while trustedProxies.contains(where: { $0.contains(address) }),
            let previous = forwarded.popLast().flatMap(Self.address(in:))
        {
            address = previous
        }
        return address
    }

    /// The address of an entry, which some proxies write with a port, IPv6 then in brackets: `192.0.2.1:80`,
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
    /// The caller as limits count it: an address, or the `/64` of an IPv6 address.
    public func countedAddress(headers: HTTPFields, trustedProxies: [AddressRange]) -> String {
        AddressBlock.of(clientAddress(headers: headers, trustedProxies: trustedProxies))
    }

    /// The caller's IP address as text; empty where the connection has none.
    public func clientAddress(headers: HTTPFields, trustedProxies: [AddressRange]) -> String {
        ClientAddress.find(
            headers: headers, peer: remoteAddress?.ipAddress ?? "", trustedProxies: trustedProxies)
    }
}
