import Glibc

/// An origin as browsers serialise it (HTML standard, section "Origin"): scheme and host in lower case, the host in
/// ASCII, no default port, no path.
struct WebOrigin {
    let text: String
    let isLoopback: Bool

    /// Schemes of which no page has the origin.
    private static let impossibleSchemes: Set = ["ws", "wss", "file", "data", "blob", "javascript", "about"]
    private static let defaultPorts = ["http": 80, "https": 443]

    /// Takes an origin also as people write it: in any case, with the default port, with letters beyond ASCII.
    /// - Returns: `nil` for what no browser sends.
    init?(_ origin: some StringProtocol) {
        let origin = String(origin).trimmingBlanks
        guard let separator = origin.firstRange(of: "://") else { return nil }
        let scheme = origin[..<separator.lowerBound].lowercased()
        guard Self.isScheme(scheme), !Self.impossibleSchemes.contains(scheme),
            let (hostText, portText) = Self.split(origin[separator.upperBound...]), let host = Self.host(hostText)
        else { return nil }
        var text = "\(scheme)://\(host)"
        if let portText {
            guard let port = UInt16(portText), port > 0, portText.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }) else {
                return nil
            }
            if Self.defaultPorts[scheme] != Int(port) { text += ":\(port)" }
        }
        self.text = text
        isLoopback = Self.defaultPorts[scheme] != nil && ["localhost", "127.0.0.1", "[::1]"].contains(host)
    }

    private static func isScheme(_ scheme: String) -> Bool {
        guard let first = scheme.utf8.first, isLetter(first) else { return false }
        return scheme.utf8.allSatisfy { isLetter($0) || isDigit($0) || "+-.".utf8.contains($0) }
    }

    private static func split(_ authority: Substring) -> (host: Substring, port: Substring?)? {
        let hostEnd: Substring.Index
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            hostEnd = authority.index(after: close)
        } else {
            hostEnd = authority.firstIndex(of: ":") ?? authority.endIndex
        }
        guard hostEnd < authority.endIndex else { return (authority, nil) }
        guard authority[hostEnd] == ":" else { return nil }
        return (authority[..<hostEnd], authority[authority.index(after: hostEnd)...])
    }

    // MARK: Hosts

    private static func host(_ text: Substring) -> String? {
        if text.hasPrefix("[") { return ipv6(String(text.dropFirst().dropLast())).map { "[\($0)]" } }
        let labels = text.lowercased().split(separator: ".", omittingEmptySubsequences: false).compactMap(label)
        let host = labels.joined(separator: ".")
        guard labels.count == text.split(separator: ".", omittingEmptySubsequences: false).count,
            host.utf8.count <= 253, let last = labels.last
        else { return nil }
        // A name whose last label is a number is an IPv4 address to browsers.
        guard last.utf8.allSatisfy(isDigit) else { return host }
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 ? host : nil
    }

    private static func label(_ label: Substring) -> String? {
        var text = String(label)
        if !text.utf8.allSatisfy({ $0 < 0x80 }) {
            guard let encoded = Punycode.encode(text) else { return nil }
            text = "xn--" + encoded
        }
        let isHostByte = { (byte: UInt8) in isLetter(byte) || isDigit(byte) || "-_".utf8.contains(byte) }
        return (1...63).contains(text.utf8.count) && text.utf8.allSatisfy(isHostByte) ? text : nil
    }

    private static func ipv6(_ text: String) -> String? {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            inet_ntop(AF_INET6, &address, buffer.baseAddress, socklen_t(buffer.count)).map { String(cString: $0) }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

extension String {
    fileprivate var trimmingBlanks: String {
        let start = drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}
