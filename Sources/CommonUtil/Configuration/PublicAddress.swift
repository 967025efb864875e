/// The address of a server for browsers: `https://chat.example.org/messages`, or `:8081` for a port of the host that the
/// page came from.
public enum PublicAddress: Equatable, Sendable {
    /// A port of the page's host.
    case port(Int)
    /// An origin, `scheme://host[:port]`, and a path in front of the server's own, empty or beginning with `/`.
    case url(origin: String, path: String)

    /// Reads either form. The address becomes part of a header field (`Content-Security-Policy`), so only a narrow grammar
    /// is accepted.
    /// - Parameter schemes: the allowed schemes of a URL.
    /// - Returns: `nil` for any other text.
    public init?(text: String, schemes: Set<String>) {
        if text.hasPrefix(":") {
            guard let port = Self.port(text.dropFirst()) else { return nil }
            self = .port(port)
            return
        }
        guard let separator = text.firstRange(of: "://"), schemes.contains(String(text[..<separator.lowerBound])) else {
            return nil
        }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let host = parts.first, Self.isHostName(host), parts.count == 1 || Self.port(parts[1]) != nil else {
            return nil
        }
        var path = rest[authority.endIndex...]
        while path.hasSuffix("/") { path.removeLast() }
        guard path.utf8.allSatisfy({ Self.isLetterOrDigit($0) || "-._~/".utf8.contains($0) }) else { return nil }
        self = .url(origin: String(text[..<authority.endIndex]), path: String(path))
    }

    /// Whether a text is a name or an IPv4 address. A content security policy cannot have IPv6 addresses.
    public static func isHostName(_ text: some StringProtocol) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { isLetterOrDigit($0) || "-.".utf8.contains($0) }
    }

    private static func port(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
        return Int(text).flatMap { (1...65_535).contains($0) ? $0 : nil }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

extension PublicAddress: CustomStringConvertible {
    /// The text from which the address is read.
    public var description: String {
        switch self {
        case .port(let port): ":\(port)"
        case .url(let origin, let path): origin + path
        }
    }
}
