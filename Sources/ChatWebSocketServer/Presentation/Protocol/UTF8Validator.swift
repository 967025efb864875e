import NIOCore

/// Validates UTF-8 that arrives in pieces, which may end anywhere, also within a character (RFC 3629 section 4). Pure.
///
/// Reports the first invalid byte at once, not only at the end of the text.
struct UTF8Validator {
    /// Continuation bytes that are missing of the present character.
    private var missing = 0
    /// Values of the next byte: the second one excludes overlong forms, surrogates and all above U+10FFFF.
    private var allowed = Self.continuation

    private static let continuation: ClosedRange<UInt8> = 0x80...0xBF

    /// Whether the text may end here, that is, not within a character.
    var isComplete: Bool { missing == 0 }

    /// Takes the next bytes.
    /// - Returns: `false` if the bytes so far are no beginning of UTF-8. The validator cannot be used afterwards.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for byte in bytes {
            if missing == 0 {
                if byte >= 0x80 { guard begin(byte) else { return false } }
            } else {
                guard allowed.contains(byte) else { return false }
                missing -= 1
                allowed = Self.continuation
            }
        }
        return true
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
        default: allowed = Self.continuation
        }
        return true
    }
}

/// Validation of whole texts.
enum UTF8Text {
    /// Whether a buffer is UTF-8 (RFC 3629).
    static func isValid(_ buffer: ByteBuffer) -> Bool {
        buffer.withUnsafeReadableBytes { bytes in
            (try? UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)) != nil
        }
    }
}
