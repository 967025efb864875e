/// A strict parser of JSON (RFC 8259). Of a repeated name the last value is used.
struct JSONParser {
    /// Maximum nesting, which bounds the recursion and so the stack.
    static let maximumDepth = 64

    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0

    /// - Throws: ``ChatError`` with code `protocol`.
    static func parse(_ bytes: [UInt8]) throws(ChatError) -> JSONValue {
        try bytes.withUnsafeBufferPointer { bytes throws(ChatError) in
            var parser = JSONParser(bytes: bytes)
            parser.skipSpace()
            let value = try parser.value(depth: 0)
            parser.skipSpace()
            guard parser.position == bytes.count else { throw parser.malformed }
            return value
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private mutating func value(depth: Int) throws(ChatError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw malformed }
        switch peek {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depth: Int) throws(ChatError) -> JSONObject {
        position += 1
        var object = JSONObject()
        skipSpace()
        if consume("}") { return object }
        repeat {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw malformed }
            let name = try string()
            skipSpace()
            guard consume(":") else { throw malformed }
            skipSpace()
            object[name] = try value(depth: depth + 1)
            skipSpace()
        } while consume(",")
        guard consume("}") else { throw malformed }
        return object
    }

    private mutating func array(depth: Int) throws(ChatError) -> JSONValue {
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

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(ChatError) -> JSONValue {
        let end = position + text.utf8CodeUnitCount
        let matches = text.withUTF8Buffer { expected in
            end <= bytes.count && bytes[position..<end].elementsEqual(expected)
        }
        guard matches else { throw malformed }
        position = end
        return value
    }

    private mutating func number() throws(ChatError) -> String {
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

    private mutating func digits() throws(ChatError) {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw malformed }
    }

    private mutating func string() throws(ChatError) -> String {
        position += 1
        let start = position
        var unescaped: [UInt8]?
        var isASCII = true
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                let end = position
                position += 1
                // Nearly all strings: ASCII without escapes, which needs no validation.
                if isASCII, unescaped == nil { return text(start..<end) }
                let content = unescaped ?? Array(bytes[start..<end])
                guard UTF8Check.isValid(content) else { throw malformed }
                return String(decoding: content, as: UTF8.self)
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

    private mutating func escape(into content: inout [UInt8]) throws(ChatError) {
        guard let byte = peek else { throw malformed }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"): content.append(contentsOf: String(Character(try unicodeEscape())).utf8)
        default: throw malformed
        }
    }

    private mutating func unicodeEscape() throws(ChatError) -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard UTF16.isLeadSurrogate(UInt16(first)), consume("\\"), consume("u") else { throw malformed }
        let second = try fourHexDigits()
        guard UTF16.isTrailSurrogate(UInt16(second)),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw malformed }
        return scalar
    }

    private mutating func fourHexDigits() throws(ChatError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw malformed
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private var malformed: ChatError { ChatError(.protocol, "The text is no JSON at byte \(position)") }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func consume(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }
}
