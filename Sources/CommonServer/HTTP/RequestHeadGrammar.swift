import CommonUtil
import Glibc

/// A strict parser of the head of a request (RFC 9112 sections 2.2, 3, 5 and 6).
struct RequestHeadGrammar {
    /// The ranges of a header field.
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    /// The ranges of the parts of a head.
    struct Parts {
        let method: Range<Int>
        let target: Range<Int>
        /// HTTP/1.0, else HTTP/1.1.
        let isVersion10: Bool
        let fields: [Field]
    }

    /// The head up to and with the empty line. Borrowed for the time of ``parts()``.
    let bytes: UnsafeBufferPointer<UInt8>

    /// Parses the head.
    /// - Throws: `malformed_request`, `http_version_not_supported`, or `header_too_large` for too many fields.
    func parts() throws(ChatError) -> Parts {
        var position = 0
        guard let line = takeLine(&position) else { throw Self.malformed("The request line does not end with CR LF") }
        let (method, target, isVersion10) = try requestLine(line)
        var fields: [Field] = []
        fields.reserveCapacity(12)
        while true {
            guard let line = takeLine(&position) else { throw Self.malformed("A header line does not end with CR LF") }
            if line.isEmpty { break }
            guard fields.count < RequestBounds.maximumFields else { throw ChatError(.headerTooLarge) }
            guard let field = field(line) else { throw Self.malformed("A header line is not `name: value`") }
            fields.append(field)
        }
        guard position == bytes.count else { throw Self.malformed("The head goes on behind its empty line") }
        return Parts(method: method, target: target, isVersion10: isVersion10, fields: fields)
    }

    private static func malformed(_ detail: String) -> ChatError { ChatError(.malformedRequest, detail) }

    /// - Returns: the next line, without its CR LF; `nil` if none ends.
    private func takeLine(_ position: inout Int) -> Range<Int>? {
        let start = position
        guard let end = first(UInt8(ascii: "\r"), in: start..<bytes.count), end + 1 < bytes.count,
            bytes[end + 1] == UInt8(ascii: "\n")
        else { return nil }
        position = end + 2
        return start..<end
    }

    /// `method SP request-target SP HTTP-version`, the target of visible ASCII characters.
    private func requestLine(
        _ line: Range<Int>
    ) throws(ChatError) -> (method: Range<Int>, target: Range<Int>, isVersion10: Bool) {
        let version: StaticString = " HTTP/1.1"
        let end = line.upperBound - version.utf8CodeUnitCount
        guard end > line.lowerBound, let space = first(UInt8(ascii: " "), in: line), space + 1 < end else {
            throw Self.malformed("The request line is not `method target HTTP/1.1`")
        }
        let isVersion11 = isText(end..<line.upperBound, version)
        let (method, target) = (line.lowerBound..<space, space + 1..<end)
        guard !method.isEmpty, all(method, Self.isTokenCharacter), all(target, Self.isVisible),
            isVersion11 || isVersion(end..<line.upperBound)
        else { throw Self.malformed("The request line is not `method target HTTP/1.1`") }
        guard isVersion11 || isText(end..<line.upperBound, " HTTP/1.0") else {
            throw ChatError(.httpVersionNotSupported)
        }
        return (method, target, !isVersion11)
    }

    /// ` HTTP/` and two digits with a point between them.
    private func isVersion(_ range: Range<Int>) -> Bool {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return isText(range.lowerBound..<range.upperBound - 3, " HTTP/") && digits.contains(bytes[range.upperBound - 3])
            && bytes[range.upperBound - 2] == UInt8(ascii: ".") && digits.contains(bytes[range.upperBound - 1])
    }

    /// Parses a header line without its CR LF; `nil` if it is not `name: value`.
    func field(_ line: Range<Int>) -> Field? {
        guard let colon = first(UInt8(ascii: ":"), in: line), colon > line.lowerBound else { return nil }
        let name = line.lowerBound..<colon
        var (start, end) = (colon + 1, line.upperBound)
        guard all(name, Self.isTokenCharacter), all(start..<end, Self.isValueByte) else { return nil }
        while start < end, Self.isBlank(bytes[start]) { start += 1 }
        while end > start, Self.isBlank(bytes[end - 1]) { end -= 1 }
        return Field(name: name, value: start..<end)
    }

    // MARK: Bytes

    private func first(_ byte: UInt8, in range: Range<Int>) -> Int? {
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == byte { return index }
            index += 1
        }
        return nil
    }

    private func all(_ range: Range<Int>, _ isAllowed: (UInt8) -> Bool) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            guard isAllowed(bytes[index]) else { return false }
            index += 1
        }
        return true
    }

    private func isText(_ range: Range<Int>, _ text: StaticString) -> Bool {
        text.withUTF8Buffer { UnsafeBufferPointer(rebasing: bytes[range]).isSame(as: $0) }
    }

    /// Whether a byte is allowed in a token (RFC 9110 section 5.6.2).
    static func isTokenCharacter(_ byte: UInt8) -> Bool {
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

    private static func isVisible(_ byte: UInt8) -> Bool { byte >= 0x21 && byte <= 0x7E }

    /// Whether a byte is allowed in a field's value (RFC 9110 section 5.5): no control character but the tab.
    static func isValueByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

    /// Whether a byte is a space or a tab.
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether both hold the same bytes: `elementsEqual` in one call of memcmp(3).
    func isSame(as other: Self) -> Bool {
        guard count == other.count, let first = baseAddress, let second = other.baseAddress else {
            return isEmpty && other.isEmpty
        }
        return memcmp(first, second, count) == 0
    }
}

/// The grammar of `Host` and of the authority of an absolute-form target: `uri-host [ ":" port ]` (RFC 9110 section 7.2,
/// RFC 3986 section 3.2). User information is not allowed.
enum HostGrammar {
    /// Whether the bytes are a host with an optional port.
    static func isHost(_ bytes: ArraySlice<UInt8>) -> Bool {
        var index = bytes.startIndex
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")), close > index + 1,
                bytes[index + 1..<close].allSatisfy(isAddressByte)
            else { return false }
            index = close + 1
        } else {
            while index < bytes.endIndex, isNameByte(bytes[index]) { index += 1 }
            guard index > bytes.startIndex else { return false }
        }
        guard index < bytes.endIndex else { return true }
        guard bytes[index] == UInt8(ascii: ":") else { return false }
        let port = bytes[(index + 1)...]
        return port.count <= 5 && port.allSatisfy(\.isASCIIDigit)
    }

    /// `unreserved / pct-encoded / sub-delims`. The digits of a percent-encoding are not checked.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "%"),
            UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ";"), UInt8(ascii: "="):
            true
        default:
            false
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "."):
            true
        default:
            false
        }
    }
}

/// A comma-separated list of tokens (RFC 9110 section 5.6.1), compared without regard to case.
struct TokenList {
    private let elements: [ArraySlice<UInt8>]

    /// Splits the value of a field.
    init(_ bytes: ArraySlice<UInt8>) {
        elements = bytes.split(separator: UInt8(ascii: ",")).compactMap { element in
            let start = element.drop(while: RequestHeadGrammar.isBlank)
            let end = start.lastIndex { !RequestHeadGrammar.isBlank($0) }
            return end.map { start[...$0] }
        }
    }

    init(_ text: String) { self.init(Array(text.utf8)[...]) }

    var count: Int { elements.count }

    /// Whether a token is in the list.
    /// - Parameter token: in lower case.
    func contains(_ token: StaticString) -> Bool { elements.contains { Self.isSame($0, token) } }

    /// How often a token is in the list.
    func count(of token: StaticString) -> Int { elements.count { Self.isSame($0, token) } }

    /// Whether the last element is this token.
    func last(_ token: StaticString) -> Bool { elements.last.map { Self.isSame($0, token) } ?? false }

    private static func isSame(_ element: ArraySlice<UInt8>, _ token: StaticString) -> Bool {
        token.withUTF8Buffer { token in
            element.count == token.count && zip(element, token).allSatisfy { $0 | 0x20 == $1 }
        }
    }
}
