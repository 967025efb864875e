import CommonUtil

/// Scans JSON (RFC 8259) without building values. Every read is checked against the end.
struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether only white space is left.
    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return position == bytes.count
        }
    }

    /// Scans an object.
    /// - Parameter member: called with each key's bytes (between the quotes, escapes unresolved) and its value's bytes.
    /// - Returns: `false` if there is no well-formed object.
    mutating func object(
        depth: Int = 0, _ member: (Slice<UnsafeRawBufferPointer>, Slice<UnsafeRawBufferPointer>) -> Void
    ) -> Bool {
        skipSpace()
        guard consume(UInt8(ascii: "{")) else { return false }
        skipSpace()
        if consume(UInt8(ascii: "}")) { return true }
        repeat {
            skipSpace()
            let keyStart = position + 1
            guard string() else { return false }
            let key = bytes[keyStart..<position - 1]
            skipSpace()
            guard consume(UInt8(ascii: ":")) else { return false }
            skipSpace()
            let valueStart = position
            guard value(depth: depth + 1) else { return false }
            member(key, bytes[valueStart..<position])
            skipSpace()
        } while consume(UInt8(ascii: ","))
        return consume(UInt8(ascii: "}"))
    }

    private mutating func value(depth: Int) -> Bool {
        guard depth <= JSONParser.maximumDepth, position < bytes.count else { return false }
        switch bytes[position] {
        case UInt8(ascii: "{"): return object(depth: depth) { _, _ in }
        case UInt8(ascii: "["): return array(depth: depth)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"): return literal("true")
        case UInt8(ascii: "f"): return literal("false")
        case UInt8(ascii: "n"): return literal("null")
        default: return number()
        }
    }

    private mutating func array(depth: Int) -> Bool {
        position += 1
        skipSpace()
        if consume(UInt8(ascii: "]")) { return true }
        repeat {
            skipSpace()
            guard value(depth: depth + 1) else { return false }
            skipSpace()
        } while consume(UInt8(ascii: ","))
        return consume(UInt8(ascii: "]"))
    }

    private mutating func string() -> Bool {
        guard consume(UInt8(ascii: "\"")) else { return false }
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): guard escape() else { return false }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard position < bytes.count else { return false }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        case UInt8(ascii: "u"):
            guard position + 4 <= bytes.count else { return false }
            defer { position += 4 }
            return bytes[position..<position + 4].allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"):
                    true
                default: false
                }
            }
        default: return false
        }
    }

    private mutating func number() -> Bool {
        _ = consume(UInt8(ascii: "-"))
        guard consume(UInt8(ascii: "0")) || digits() else { return false }
        if consume(UInt8(ascii: ".")) { guard digits() else { return false } }
        if consume(UInt8(ascii: "e")) || consume(UInt8(ascii: "E")) {
            _ = consume(UInt8(ascii: "+")) || consume(UInt8(ascii: "-"))
            guard digits() else { return false }
        }
        return true
    }

    private mutating func digits() -> Bool {
        let start = position
        while position < bytes.count, bytes[position].isASCIIDigit {
            position += 1
        }
        return position > start
    }

    private mutating func literal(_ text: StaticString) -> Bool {
        let end = position + text.utf8CodeUnitCount
        guard end <= bytes.count else { return false }
        let matches = text.withUTF8Buffer { bytes[position..<end].elementsEqual($0) }
        position = end
        return matches
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }
}
