import Glibc

/// Takes the head of a request apart (RFC 9112 sections 2.2, 3, 5 and 6), without leniency of any kind.
struct RequestHeadGrammar {
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
    }

    /// Where in the head something stands.
    struct Parts {
        let method: Range<Int>
        let target: Range<Int>
        let fields: [Field]
    }

    /// The head, up to and with the empty line. Borrowed for the time of ``parts()``.
    let bytes: UnsafeBufferPointer<UInt8>

    /// - Returns: `nil` where the head is not as the grammar wants it, or has too many fields.
    func parts() -> Parts? {
        var position = 0
        guard let line = takeLine(&position), let (method, target) = requestLine(line) else { return nil }
        var fields: [Field] = []
        fields.reserveCapacity(12)
        while true {
            guard let line = takeLine(&position) else { return nil }
            if line.isEmpty { break }
            guard fields.count < ChatHTTPChannel.maximumFields, let field = field(line) else { return nil }
            fields.append(field)
        }
        return position == bytes.count ? Parts(method: method, target: target, fields: fields) : nil
    }

    /// - Returns: the next line, without its CR LF; `nil` where none ends.
    private func takeLine(_ position: inout Int) -> Range<Int>? {
        let start = position
        guard let end = first(UInt8(ascii: "\r"), in: start..<bytes.count), end + 1 < bytes.count,
            bytes[end + 1] == UInt8(ascii: "\n")
        else { return nil }
        position = end + 2
        return start..<end
    }

    /// `method SP request-target SP HTTP-version`; a target of visible ASCII characters, and not the tunnel's.
    private func requestLine(_ line: Range<Int>) -> (method: Range<Int>, target: Range<Int>)? {
        let version: StaticString = " HTTP/1.1"
        let end = line.upperBound - version.utf8CodeUnitCount
        guard end > line.lowerBound, isText(end..<line.upperBound, version),
            let space = first(UInt8(ascii: " "), in: line), space + 1 < end
        else { return nil }
        let (method, target) = (line.lowerBound..<space, space + 1..<end)
        guard !method.isEmpty, all(method, Self.isTokenCharacter), all(target, Self.isVisible),
            !isText(method, "CONNECT")
        else { return nil }
        return (method, target)
    }

    private func field(_ line: Range<Int>) -> Field? {
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

    private static func isVisible(_ byte: UInt8) -> Bool { byte >= 0x21 && byte <= 0x7E }

    /// RFC 9110 section 5.5: no control characters but the tabulator.
    private static func isValueByte(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}

extension UnsafeBufferPointer<UInt8> {
    /// `elementsEqual` in one call of memcmp(3).
    func isSame(as other: Self) -> Bool {
        guard count == other.count, let first = baseAddress, let second = other.baseAddress else {
            return isEmpty && other.isEmpty
        }
        return memcmp(first, second, count) == 0
    }
}
