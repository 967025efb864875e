import Glibc

/// The web origins whose pages may call (CORS, and the handshake's `Origin`, RFC 6455 section 10.2).
public enum AllowedOrigins: Equatable, Sendable {
    /// Every origin.
    case any
    /// Pages that this machine serves: `http` or `https`, `localhost`, `127.0.0.1` or `[::1]`, any port.
    case loopback
    /// A list of origins, in the form that browsers send.
    case these(Set<String>)

    static let anyText = "*"
    static let loopbackText = "loopback"

    /// Reads `*`, `loopback`, or a comma-separated list of origins.
    /// - Returns: `nil` if an element is not an origin that a browser can send.
    init?(text: String) {
        switch text {
        case Self.anyText: self = .any
        case Self.loopbackText: self = .loopback
        default:
            let parts = text.split(separator: ",")
            let origins = parts.compactMap { WebOrigin($0) }
            guard !origins.isEmpty, origins.count == parts.count else { return nil }
            self = .these(Set(origins.map(\.text)))
        }
    }

    /// Whether a request with this `Origin` is allowed. Requests without it do not come from a page and are allowed.
    public func allows(_ origin: String?) -> Bool {
        guard let origin else { return true }
        switch self {
        case .any: return true
        case .loopback: return WebOrigin(origin)?.isLoopback ?? false
        // Browsers send the exact text that is in the set, except for rare spellings.
        case .these(let origins):
            return origins.contains(origin) || WebOrigin(origin).map { origins.contains($0.text) } ?? false
        }
    }
}

/// An origin as browsers serialise it (HTML standard, section "Origin"): scheme and host in lower case, the host in
/// ASCII, no default port, no path.
struct WebOrigin {
    /// The origin as browsers send it.
    let text: String
    /// Whether it is a page of this machine.
    let isLoopback: Bool

    /// Schemes that the origin of a page cannot have.
    private static let impossibleSchemes: Set = ["ws", "wss", "file", "data", "blob", "javascript", "about"]
    private static let defaultPorts = ["http": 80, "https": 443]

    /// Reads an origin as people write it: in any case, with the default port, with letters beyond ASCII.
    /// - Returns: `nil` for a text that is not the origin of a page.
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
        return scheme.utf8.allSatisfy { isLetter($0) || $0.isASCIIDigit || "+-.".utf8.contains($0) }
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
        // Browsers treat a name whose last label is a number as an IPv4 address.
        guard last.utf8.allSatisfy(\.isASCIIDigit) else { return host }
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 ? host : nil
    }

    private static func label(_ label: Substring) -> String? {
        var text = String(label)
        if !text.utf8.allSatisfy({ $0 < 0x80 }) {
            guard let encoded = Punycode.encode(text) else { return nil }
            text = "xn--" + encoded
        }
        let isHostByte = { (byte: UInt8) in isLetter(byte) || byte.isASCIIDigit || "-_".utf8.contains(byte) }
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
}

extension String {
    fileprivate var trimmingBlanks: String {
        let start = drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}

/// Punycode (RFC 3492), the ASCII form of internationalised host names.
enum Punycode {
    private static let (base, minimumThreshold, maximumThreshold) = (36, 1, 26)
    private static let (skew, damp, initialBias, initialCode) = (38, 700, 72, 0x80)

    /// Encodes a label.
    /// - Returns: the encoded label without `xn--`; `nil` if the label is too long.
    static func encode(_ label: String) -> String? {
        let input = label.unicodeScalars.map { Int($0.value) }
        guard input.count <= 63 else { return nil }
        var output = label.unicodeScalars.filter(\.isASCII).map { Character($0) }
        let basicCount = output.count
        if basicCount > 0 { output.append("-") }
        var (code, delta, bias, handled) = (initialCode, 0, initialBias, basicCount)
        while handled < input.count {
            guard let next = input.filter({ $0 >= code }).min() else { return nil }
            delta += (next - code) * (handled + 1)
            code = next
            for scalar in input {
                if scalar < code { delta += 1 }
                guard scalar == code else { continue }
                output += digits(of: delta, bias: bias)
                bias = adapted(delta, count: handled + 1, isFirst: handled == basicCount)
                delta = 0
                handled += 1
            }
            delta += 1
            code += 1
        }
        return String(output)
    }

    /// A generalised variable-length integer.
    private static func digits(of delta: Int, bias: Int) -> [Character] {
        var (rest, position, digits) = (delta, base, [Character]())
        while true {
            let threshold = min(max(position - bias, minimumThreshold), maximumThreshold)
            guard rest >= threshold else { break }
            digits.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            position += base
        }
        return digits + [digit(rest)]
    }

    private static func digit(_ value: Int) -> Character {
        Character(UnicodeScalar(UInt8(value < 26 ? value + 0x61 : value - 26 + 0x30)))
    }

    private static func adapted(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / damp : delta / 2
        delta += delta / count
        var steps = 0
        while delta > (base - minimumThreshold) * maximumThreshold / 2 {
            delta /= base - minimumThreshold
            steps += base
        }
        return steps + (base - minimumThreshold + 1) * delta / (delta + skew)
    }
}
