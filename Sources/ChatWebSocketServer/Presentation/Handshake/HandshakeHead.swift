import CommonServer

/// The head of a request that may be a WebSocket handshake: `GET`, HTTP/1.1, no body.
///
/// Read strictly (RFC 9112 sections 3 and 5). What is not exactly as that grammar wants it is not read here at all: an
/// HTTP decoder decides what becomes of it.
struct HandshakeHead {
    static let maximumFields = ChatHTTPChannel.maximumFields

    /// What stands between `GET` and `HTTP/1.1`: visible ASCII characters.
    let target: String
    /// The names in lower case.
    let fields: [(name: String, value: String)]

    /// - Parameter bytes: up to and with the empty line.
    /// - Returns: `nil` for anything else than such a head.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard let requestLine = Self.takeLine(&rest), let target = Self.target(requestLine) else { return nil }
        var fields: [(name: String, value: String)] = []
        while true {
            guard let line = Self.takeLine(&rest) else { return nil }
            if line.isEmpty { break }
            guard fields.count < Self.maximumFields, let field = Self.field(line) else { return nil }
            fields.append(field)
        }
        guard rest.isEmpty else { return nil }
        self.target = target
        self.fields = fields
        guard self["transfer-encoding"] == nil, self["content-length"] ?? "0" == "0" else { return nil }
    }

    func values(_ name: String) -> [String] { fields.compactMap { $0.name == name ? $0.value : nil } }

    /// A field's values, joined by commas (RFC 9110 section 5.3); `nil` where it is absent.
    subscript(name: String) -> String? {
        var joined: String?
        for field in fields where field.name == name {
            joined = joined.map { "\($0),\(field.value)" } ?? field.value
        }
        return joined
    }

    /// - Returns: the next line, without its CR LF; `nil` where none ends.
    private static func takeLine(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\r")), end + 1 < rest.endIndex,
            rest[end + 1] == UInt8(ascii: "\n")
        else { return nil }
        defer { rest = rest[(end + 2)...] }
        return rest[..<end]
    }

    private static func target(_ line: ArraySlice<UInt8>) -> String? {
        let (method, version) = ("GET ".utf8, " HTTP/1.1".utf8)
        guard line.starts(with: method), line.suffix(version.count).elementsEqual(version) else { return nil }
        let target = line.dropFirst(method.count).dropLast(version.count)
        guard !target.isEmpty, target.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return String(decoding: target, as: UTF8.self)
    }

    private static func field(_ line: ArraySlice<UInt8>) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else { return nil }
        let name = line[..<colon]
        var value = line[(colon + 1)...]
        guard name.allSatisfy(isTokenCharacter), value.allSatisfy(isValueByte) else { return nil }
        while let first = value.first, isBlank(first) { value.removeFirst() }
        while let last = value.last, isBlank(last) { value.removeLast() }
        return (String(decoding: name, as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    /// RFC 9110 section 5.6.2.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default:
            false
        }
    }

    /// RFC 9110 section 5.5: no control characters but the tabulator.
    private static func isValueByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
