/// The origin of a server with an optional path: `https://chat.example.org`, `http://[::1]:8080/chat`.
public struct ServerAddress: Hashable, Sendable {
    /// Whether connections are encrypted.
    public let isSecure: Bool
    /// The host name or address, without brackets.
    public let host: String
    /// The port.
    public let port: Int
    /// The path before those of the interface, without a slash at its end.
    public let path: String

    /// Parses an address.
    /// - Parameter text: `http`, `https`, `ws` or `wss`, a host, optionally a port and a path.
    /// - Throws: ``ChatError`` with code `invalid`.
    public init(_ text: String) throws {
        let invalid = ChatError(.invalid, "Not the address of a server: \(text)")
        guard let separator = text.firstRange(of: "://") else { throw invalid }
        switch text[..<separator.lowerBound].lowercased() {
        case "http", "ws": isSecure = false
        case "https", "wss": isSecure = true
        default: throw invalid
        }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        var path = String(rest.dropFirst(authority.count))
        while path.hasSuffix("/") { path.removeLast() }
        guard !path.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F || $0 == 0x3F || $0 == 0x23 }) else {
            throw invalid
        }
        self.path = path
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw invalid }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw invalid }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isOfHost) else { throw invalid }
        self.host = host.lowercased()
        guard let port else {
            self.port = isSecure ? 443 : 80
            return
        }
        guard let number = Int(port), (1...65_535).contains(number) else { throw invalid }
        self.port = number
    }

    /// The address that `text` means in a response of this one: absolute, or `:port` on the same host.
    func resolving(_ text: String) throws -> ServerAddress {
        guard text.hasPrefix(":") else { return try ServerAddress(text) }
        return try ServerAddress("\(isSecure ? "https" : "http")://\(hostText)\(text)")
    }

    /// The value of `Host`.
    var authority: String {
        port == (isSecure ? 443 : 80) ? hostText : "\(hostText):\(port)"
    }

    private var hostText: String { host.contains(":") ? "[\(host)]" : host }

    private static func isOfHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}

extension ServerAddress: CustomStringConvertible {
    /// The address as text.
    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(path)" }
}

extension String {
    /// Percent-encoded for use in a path segment or a query (RFC 3986 unreserved characters stay).
    var percentEncoded: String {
        var bytes: [UInt8] = []
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes += Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Substring {
    /// Undoes ``String/percentEncoded``, or any other encoding of bytes as `%` and two digits.
    /// - Returns: `nil` for other text after a `%`, and for bytes that are not UTF-8.
    var percentDecoded: String? {
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return UTF8Check.isValid(bytes) ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
