import CommonUtil
import Crypto
import FoundationEssentials

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
        Hexadecimal.encode(Insecure.SHA1.hash(data: Data(source.utf8)))
    }
}

/// Bytes of the system's cryptographic generator (`getrandom(2)`).
public enum RandomBytes {
    /// Returns random bytes.
    public static func make(count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
