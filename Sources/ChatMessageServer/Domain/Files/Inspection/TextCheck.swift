/// Whether bytes are plain text: valid UTF-8 (Unicode 16.0, table 3-7) without control characters other than tab and line
/// ends, which does not begin like HTML, XML or SVG. Bytes are taken as they come, cut anywhere.
struct TextCheck: Sendable {
    private var isValid = true
    private var beginning = Beginning.mark(0)
    /// Further bytes of the present character.
    private var missing = 0
    /// The allowed values of the next of them.
    private var allowed: ClosedRange<UInt8> = continuation

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    private static let continuation: ClosedRange<UInt8> = 0x80...0xBF

    /// What has passed of the text so far.
    private enum Beginning {
        /// So many bytes of a byte order mark.
        case mark(Int)
        case blanks
        case lessThan
        case over
    }

    /// Whether all bytes so far are text. Half a character at the end is none.
    var isText: Bool { isValid && missing == 0 }

    /// Takes the next bytes.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count, isValid {
            // Most text is ASCII most of the time: eight bytes at once.
            if missing == 0, case .over = beginning {
                while index + 8 <= bytes.count,
                    Self.isPrintable(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                {
                    index += 8
                }
                guard index < bytes.count else { return }
            }
            if case .over = beginning {} else { begin(bytes[index]) }
            take(bytes[index])
            index += 1
        }
    }

    /// Whether each of eight bytes is printable ASCII: 0x20–0x7E.
    private static func isPrintable(_ word: UInt64) -> Bool {
        // The high bit of a byte is set where it was set, where 0x20 could not be subtracted, or where adding 1 sets it.
        let (high, ones) = (0x8080_8080_8080_8080 as UInt64, 0x0101_0101_0101_0101 as UInt64)
        return (word | (word &- ones &* 0x20) | (word &+ ones)) & high == 0
    }

    private mutating func take(_ byte: UInt8) {
        guard missing == 0 else {
            isValid = allowed.contains(byte)
            allowed = Self.continuation
            missing -= 1
            return
        }
        switch byte {
        case UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), 0x20...0x7E: break
        // Below U+00A0 are control characters.
        case 0xC2: expect(1, 0xA0...0xBF)
        case 0xC3...0xDF: expect(1)
        // No longer forms than necessary, no surrogates, nothing above U+10FFFF.
        case 0xE0: expect(2, 0xA0...0xBF)
        case 0xED: expect(2, 0x80...0x9F)
        case 0xE1...0xEF: expect(2)
        case 0xF0: expect(3, 0x90...0xBF)
        case 0xF1...0xF3: expect(3)
        case 0xF4: expect(3, 0x80...0x8F)
        default: isValid = false
        }
    }

    private mutating func expect(_ count: Int, _ range: ClosedRange<UInt8> = continuation) {
        missing = count
        allowed = range
    }

    /// Looks for the beginning of a tag, a comment or a declaration, behind a byte order mark and blanks.
    private mutating func begin(_ byte: UInt8) {
        switch beginning {
        case .mark(let index) where byte == Self.byteOrderMark[index]:
            beginning = index == 2 ? .blanks : .mark(index + 1)
        case .mark(0), .blanks:
            switch byte {
            case UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: " "): beginning = .blanks
            case UInt8(ascii: "<"): beginning = .lessThan
            default: beginning = .over
            }
        case .lessThan:
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), 0x80...,
                UInt8(ascii: "!"), UInt8(ascii: "?"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                isValid = false
            default: beginning = .over
            }
        case .mark, .over: beginning = .over
        }
    }
}
