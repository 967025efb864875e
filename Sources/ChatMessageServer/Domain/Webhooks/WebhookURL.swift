import CommonUtil
import Glibc

/// The URL of a webhook: http or https, a host, perhaps a port, a path and a query.
///
/// Read strictly, so that nobody reads it in another way: what is checked here is what is connected to. A host is a name
/// in ASCII, an IPv4 address of four decimal numbers, or an IPv6 address in brackets; other spellings of IPv4 addresses
/// (`0x7f.1`, `2130706433`) are refused.
struct WebhookURL: Equatable {
    static let maximumLength = 2_048

    enum Host: Equatable {
        case name(String)
        /// An IPv4 or IPv6 address, without brackets.
        case address(String)
    }

    let isEncrypted: Bool
    let host: Host
    let port: Int
    /// The path and the query, from the slash on.
    let target: String

    /// Reads a URL.
    /// - Throws: `webhook_address`, with what is wrong.
    init(_ text: String) throws(ChatError) {
        guard text.utf8.count <= Self.maximumLength else { throw Self.refused("has more than 2048 characters") }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.contains("\\") else {
            throw Self.refused("may only have visible ASCII characters, others percent-encoded")
        }
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw Self.refused("must be an https URL") }
        switch parts[0].lowercased() {
        case "https": isEncrypted = true
        case "http": isEncrypted = false
        default: throw Self.refused("must be an https URL")
        }
        let rest = parts[1].split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else { throw Self.refused("must not have a user or a password") }
        let target = rest[end...]
        self.target = target.hasPrefix("/") ? String(target) : "/" + target

        let (host, port) = try Self.parts(of: authority)
        self.host = try Self.host(host)
        self.port = try Self.port(port) ?? (isEncrypted ? 443 : 80)
    }

    /// The URL to ask, whose host is exactly what was checked.
    var text: String { "\(isEncrypted ? "https" : "http")://\(hostText):\(port)\(target)" }

    /// The host as it stands in a URL.
    var hostText: String {
        switch host {
        case .name(let name): name
        case .address(let address): address.contains(":") ? "[\(address)]" : address
        }
    }

    static func refused(_ reason: String) -> ChatError { ChatError(.webhookAddress, "The URL \(reason)") }

    private static func parts(of authority: Substring) throws(ChatError) -> (host: Substring, port: Substring?) {
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw refused("has an unfinished IPv6 address") }
            let rest = authority[authority.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw refused("has something behind its address") }
            return (authority[...close], rest.isEmpty ? nil : rest.dropFirst())
        }
        let pieces = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return (pieces[0], pieces.count == 2 ? pieces[1] : nil)
    }

    private static func port(_ text: Substring?) throws(ChatError) -> Int? {
        guard let text, !text.isEmpty else { return nil }
        guard text.utf8.allSatisfy(\.isASCIIDigit), let port = Int(text),
            (1...65_535).contains(port)
        else { throw refused("has no valid port") }
        return port
    }

    private static func host(_ text: Substring) throws(ChatError) -> Host {
        var bytes = [UInt8](repeating: 0, count: 16)
        if text.hasPrefix("[") {
            let address = String(text.dropFirst().dropLast())
            guard inet_pton(AF_INET6, address, &bytes) == 1 else { throw refused("has no valid IPv6 address") }
            return .address(canonical(AF_INET6, bytes))
        }
        let name = text.lowercased()
        if inet_pton(AF_INET, name, &bytes) == 1 { return .address(canonical(AF_INET, bytes)) }
        let bare = name.hasSuffix(".") ? name.dropLast() : name[...]
        let labels = bare.split(separator: ".", omittingEmptySubsequences: false)
        guard bare.utf8.count <= 253, labels.allSatisfy(isLabel), let last = labels.last else {
            throw refused("has no valid host")
        }
        // By the URL standard a host that ends in a number is an IPv4 address, in whatever notation.
        guard last.contains(where: { !$0.isNumber }), !last.hasPrefix("0x") else {
            throw refused("has an IPv4 address that is not of four decimal numbers")
        }
        return .name(String(bare))
    }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
            && label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                    UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    private static func canonical(_ family: CInt, _ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(family, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
