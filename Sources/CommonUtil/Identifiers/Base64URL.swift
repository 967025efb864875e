/// URL-safe base64 without padding (RFC 4648 section 5, RFC 7515 section 2).
public enum Base64URL {
    /// The length of the text of 64 bits.
    public static let lengthOf64Bits = 11

    /// Encodes bytes.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        return String(unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { text in
            var (bits, bitCount, length) = (UInt32(0), 0, 0)
            for byte in bytes {
                bits = bits << 8 | UInt32(byte)
                bitCount += 8
                while bitCount >= 6 {
                    bitCount -= 6
                    text[length] = character(bits >> bitCount)
                    length += 1
                }
            }
            if bitCount > 0 {
                text[length] = character(bits << (6 - bitCount))
                length += 1
            }
            return length
        }
    }

    /// Encodes 64 bits as their eight bytes, the highest first, without an array.
    public static func encode(bits: UInt64) -> String {
        String(unsafeUninitializedCapacity: lengthOf64Bits) { text in
            for index in 0..<10 { text[index] = character(UInt32(truncatingIfNeeded: bits >> (58 - 6 * index))) }
            text[10] = character(UInt32(truncatingIfNeeded: bits << 2))
            return lengthOf64Bits
        }
    }

    /// Decodes a text.
    /// - Returns: `nil` for text that ``encode(_:)`` cannot have made: padding, characters of the other alphabet, lengths
    ///   that no bytes have, and unused bits that are not zero (RFC 4648 section 3.5). Every value has one spelling, so a
    ///   token cannot be changed without breaking its signature.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count * 3 / 4)
        var (bits, bitCount) = (UInt32(0), 0)
        for character in text.utf8 {
            guard let value = value(character) else { return nil }
            bits = bits << 6 | value
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
                bits &= 1 << bitCount - 1
            }
        }
        return bitCount < 6 && bits == 0 ? bytes : nil
    }

    /// Decodes the text of 64 bits.
    /// - Returns: `nil` for text that ``encode(bits:)`` cannot have made.
    public static func decodeBits(_ text: UnsafeRawBufferPointer) -> UInt64? {
        guard text.count == lengthOf64Bits, let last = value(text[10]), last & 3 == 0 else { return nil }
        var bits: UInt64 = 0
        for index in 0..<10 {
            guard let value = value(text[index]) else { return nil }
            bits = bits << 6 | UInt64(value)
        }
        return bits << 4 | UInt64(last >> 2)
    }

    /// Whether a byte is a character of this alphabet.
    public static func isCharacter(_ byte: UInt8) -> Bool { value(byte) != nil }

    private static func character(_ bits: UInt32) -> UInt8 {
        switch UInt8(truncatingIfNeeded: bits & 0x3F) {
        case let value where value < 26: UInt8(ascii: "A") + value
        case let value where value < 52: UInt8(ascii: "a") + value - 26
        case let value where value < 62: UInt8(ascii: "0") + value - 52
        case 62: UInt8(ascii: "-")
        default: UInt8(ascii: "_")
        }
    }

    private static func value(_ character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}

/// Hexadecimal digits, in lower case.
public enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Returns two digits for each byte.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
