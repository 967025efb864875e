/// Validates UTF-8 that arrives in pieces, which may end anywhere, even within a character (RFC 3629 section 4).
struct UTF8Check {
    private var missing = 0
    /// Values of the next byte: the second one excludes overlong forms, surrogates and all above U+10FFFF.
    private var allowed: ClosedRange<UInt8> = 0x80...0xBF

    /// Whether the text may end here, that is, not within a character.
    var isComplete: Bool { missing == 0 }

    /// Checks the next bytes; returns whether all bytes so far can be the beginning of UTF-8.
    mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
        for byte in bytes {
            if missing > 0 {
                guard allowed.contains(byte) else { return false }
                missing -= 1
                allowed = 0x80...0xBF
            } else if byte >= 0x80 {
                guard begin(byte) else { return false }
            }
        }
        return true
    }

    /// Whether the bytes are UTF-8.
    static func isValid(_ bytes: some Sequence<UInt8>) -> Bool {
        var check = UTF8Check()
        return check.accept(bytes) && check.isComplete
    }

    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: missing = 1
        case 0xE0...0xEF: missing = 2
        case 0xF0...0xF4: missing = 3
        default: return false
        }
        switch byte {
        case 0xE0: allowed = 0xA0...0xBF
        case 0xED: allowed = 0x80...0x9F
        case 0xF0: allowed = 0x90...0xBF
        case 0xF4: allowed = 0x80...0x8F
        default: allowed = 0x80...0xBF
        }
        return true
    }
}
