/// The reason why a text is not valid JSON.
public enum JSONError: Error, Equatable, Sendable {
    /// Invalid by the grammar of JSON. `offset` is the byte at which parsing stopped.
    case malformed(offset: Int)
    /// Valid by the grammar, but with a string that is not Unicode: bad UTF-8 or half a surrogate pair.
    case notUnicode(offset: Int)
    /// Arrays and objects are nested deeper than ``JSONParser/maximumDepth``.
    case tooDeep
}

/// A strict parser of JSON (RFC 8259). Of a repeated key the last value is used, as in `JSON.parse`, unless unique keys
/// are required.
public struct JSONParser {
    /// Maximum nesting, which bounds the recursion and so the stack.
    public static let maximumDepth = 64

    /// Borrowed for the time of ``parse(_:uniqueKeys:)``; every access is checked against its count.
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    private let requiresUniqueKeys: Bool

    /// Parses a text.
    /// - Parameter uniqueKeys: whether a repeated key is malformed, as JOSE headers and claims require, so that two parsers
    ///   cannot understand them differently (RFC 7515 section 4, RFC 7519 section 4).
    public static func parse(_ bytes: [UInt8], uniqueKeys: Bool = false) throws(JSONError) -> JSONValue {
        try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
            var parser = JSONParser(bytes: bytes, requiresUniqueKeys: uniqueKeys)
            return try parser.text()
        }
    }

    private mutating func text() throws(JSONError) -> JSONValue {
        skipSpace()
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw malformed }
        return value
    }

    // MARK: Values

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw .tooDeep }
        switch peek {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var members = JSONObject.Builder()
        skipSpace()
        if consume("}") { return .object(JSONObject()) }
        repeat {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw malformed }
            let key = JSONKey(try string())
            skipSpace()
            guard consume(":") else { throw malformed }
            skipSpace()
            members.append(key, try value(depth: depth + 1))
            skipSpace()
        } while consume(",")
        guard consume("}") else { throw malformed }
        let (object, isUnique) = members.finish()
        guard isUnique || !requiresUniqueKeys else { throw malformed }
        return .object(object)
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if consume("]") { return .array(elements) }
        repeat {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while consume(",")
        guard consume("]") else { throw malformed }
        return .array(elements)
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + text.utf8CodeUnitCount
        let matches = text.withUTF8Buffer { expected in
            end <= bytes.count && bytes[position..<end].elementsEqual(expected)
        }
        guard matches else { throw malformed }
        position = end
        return value
    }

    // MARK: Numbers

    private mutating func number() throws(JSONError) -> String {
        let start = position
        _ = consume("-")
        if !consume("0") { try digits() }
        if consume(".") { try digits() }
        if consume("e") || consume("E") {
            _ = consume("+") || consume("-")
            try digits()
        }
        return text(start..<position)
    }

    private mutating func digits() throws(JSONError) {
        let start = position
        while let byte = peek, byte.isASCIIDigit { position += 1 }
        guard position > start else { throw malformed }
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        position += 1
        let start = position
        var unescaped: [UInt8]?
        var isASCII = true
        skipPlain()
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                let end = position
                position += 1
                // Nearly all strings: ASCII without escapes, which needs no validation.
                if isASCII, unescaped == nil { return text(start..<end) }
                let content = unescaped ?? Array(bytes[start..<end])
                guard let text = String(validating: content, as: UTF8.self) else { throw .notUnicode(offset: start) }
                return text
            case UInt8(ascii: "\\"):
                var content = unescaped ?? Array(bytes[start..<position])
                position += 1
                try escape(into: &content)
                unescaped = content
            case 0..<0x20:
                throw malformed
            default:
                unescaped?.append(byte)
                isASCII = isASCII && byte < 0x80
                position += 1
            }
        }
        throw malformed
    }

    private mutating func escape(into content: inout [UInt8]) throws(JSONError) {
        guard let byte = peek else { throw malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"): content.append(contentsOf: Array(String(try unicodeEscape()).utf8))
        default: throw malformed
        }
    }

    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let start = position
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard UTF16.isLeadSurrogate(UInt16(first)), consume("\\"), consume("u") else {
            throw .notUnicode(offset: start)
        }
        let second = try fourHexDigits()
        guard UTF16.isTrailSurrogate(UInt16(second)),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw .notUnicode(offset: start) }
        return scalar
    }

    private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw malformed
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    // MARK: Bytes

    private func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private var malformed: JSONError { .malformed(offset: position) }

    /// Skips printable ASCII characters that are no escape, of which most strings consist.
    private mutating func skipPlain() {
        var index = position
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            index += 1
        }
        position = index
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }
}
