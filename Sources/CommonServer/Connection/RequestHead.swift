import NIOCore

/// The head of an HTTP/1.1 request whose body, if any, has a known length.
///
/// Read strictly (RFC 9112 sections 2.2, 3, 5 and 6). What is not exactly as that grammar wants it, or is framed in
/// another way, is not read here at all: an HTTP decoder decides what becomes of it. So this and the decoder cannot
/// disagree on where a request ends.
public struct RequestHead: Sendable {
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    let bytes: [UInt8]
    let fields: [Field]
    private let method: Range<Int>
    private let targetRange: Range<Int>
    /// Bytes of the body.
    public private(set) var contentLength = 0

    /// Bytes of the head, with the empty line at its end.
    public var length: Int { bytes.count }

    /// - Parameters:
    ///   - bytes: up to and with the empty line.
    ///   - allowsUpgrade: whether it may ask for another protocol, which takes over behind the head.
    /// - Returns: `nil` for anything else than such a head.
    init?(_ bytes: [UInt8], allowsUpgrade: Bool = false) {
        var position = 0
        guard let line = Self.takeLine(bytes, &position), let (method, target) = Self.requestLine(bytes, line) else {
            return nil
        }
        var fields: [Field] = []
        fields.reserveCapacity(12)
        while true {
            guard let line = Self.takeLine(bytes, &position) else { return nil }
            if line.isEmpty { break }
            guard fields.count < ChatHTTPChannel.maximumFields, let field = Self.field(bytes, line) else { return nil }
            fields.append(field)
        }
        guard position == bytes.count else { return nil }
        self.bytes = bytes
        self.method = method
        targetRange = target
        self.fields = fields
        guard !has("transfer-encoding"), allowsUpgrade || !has("upgrade"), let length = declaredLength else {
            return nil
        }
        contentLength = length
    }

    // MARK: What it says

    public func isMethod(_ name: String) -> Bool { bytes[method].elementsEqual(name.utf8) }

    func isTarget(_ path: String) -> Bool { bytes[targetRange].elementsEqual(path.utf8) }

    /// Visible ASCII characters.
    public var target: String { text(targetRange) }

    /// - Parameter name: in lower case.
    func has(_ name: String) -> Bool { fields.contains { isNamed($0, name) } }

    /// - Parameter name: in lower case.
    public func values(_ name: String) -> [String] { fields.filter { isNamed($0, name) }.map { text($0.value) } }

    /// A field's values, joined by commas (RFC 9110 section 5.3); `nil` where it is absent.
    /// - Parameter name: in lower case.
    public subscript(name: String) -> String? {
        var joined: String?
        for field in fields where isNamed(field, name) {
            let value = text(field.value)
            joined = joined.map { "\($0),\(value)" } ?? value
        }
        return joined
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func isNamed(_ field: Field, _ name: String) -> Bool {
        // In ASCII letters differ from their upper case in this bit; of the other token characters none becomes another.
        field.name.count == name.utf8.count && zip(bytes[field.name], name.utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    /// 0 without the field; `nil` for what is no number of at most nine digits, or for two of them.
    private var declaredLength: Int? {
        let values = fields.lazy.filter { isNamed($0, "content-length") }
        guard let field = values.first else { return 0 }
        let digits = bytes[field.value]
        guard values.dropFirst().isEmpty, (1...9).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    // MARK: Reading

    /// - Returns: the next line, without its CR LF; `nil` where none ends.
    private static func takeLine(_ bytes: [UInt8], _ position: inout Int) -> Range<Int>? {
        let start = position
        guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\r")), end + 1 < bytes.count,
            bytes[end + 1] == UInt8(ascii: "\n")
        else { return nil }
        position = end + 2
        return start..<end
    }

    /// `method SP request-target SP HTTP-version`; a target of visible ASCII characters, and not the tunnel's.
    private static func requestLine(_ bytes: [UInt8], _ line: Range<Int>) -> (method: Range<Int>, target: Range<Int>)? {
        let version = " HTTP/1.1".utf8
        guard bytes[line].suffix(version.count).elementsEqual(version),
            let space = bytes[line].firstIndex(of: UInt8(ascii: " "))
        else { return nil }
        let (method, end) = (line.lowerBound..<space, line.upperBound - version.count)
        guard space + 1 < end, !method.isEmpty, bytes[method].allSatisfy(isTokenCharacter),
            bytes[space + 1..<end].allSatisfy({ (0x21...0x7E).contains($0) }),
            !bytes[method].elementsEqual("CONNECT".utf8)
        else { return nil }
        return (method, space + 1..<end)
    }

    private static func field(_ bytes: [UInt8], _ line: Range<Int>) -> Field? {
        guard let colon = bytes[line].firstIndex(of: UInt8(ascii: ":")), colon > line.lowerBound else { return nil }
        let name = line.lowerBound..<colon
        var value = colon + 1..<line.upperBound
        guard bytes[name].allSatisfy(isTokenCharacter), bytes[value].allSatisfy(isValueByte) else { return nil }
        while let first = value.first, isBlank(bytes[first]) { value = first + 1..<value.upperBound }
        while let last = value.last, isBlank(bytes[last]) { value = value.lowerBound..<last }
        return Field(name: name, value: value)
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
