import Crypto
import FoundationEssentials

/// URL-safe base64 without padding (RFC 4648 section 5, RFC 7515 section 2).
enum Base64URL {
    /// Encodes bytes.
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
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

    /// Decodes a text.
    /// - Returns: `nil` for text that ``encode(_:)`` cannot have made: padding, characters of the other alphabet, lengths
    ///   that no bytes have, and unused bits that are not zero (RFC 4648 section 3.5). Every value has one spelling, so a
    ///   token cannot be changed without breaking its signature.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
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

/// A pseudonym of a name or an address, for places where the plain text should not be seen: 128 bits of SHA-256 as 22
/// characters, the same in every process. Not a secret: a suspected name can be checked.
public enum Pseudonym {
    /// Returns the pseudonym of a text.
    public static func of(_ text: String) -> String {
        Base64URL.encode(SHA256.hash(data: Data(text.utf8)).prefix(16))
    }
}

/// The digest by which Redis finds a script (`EVALSHA`): SHA-1 in hexadecimal. Not for security.
public enum ScriptDigest {
    /// Returns the digest of a script.
    public static func of(_ source: String) -> String {
        Insecure.SHA1.hash(data: Data(source.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

/// Bytes of the system's cryptographic generator (`getrandom(2)`).
enum RandomBytes {
    /// Returns random bytes.
    static func make(count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
