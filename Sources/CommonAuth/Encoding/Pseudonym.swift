import Crypto
import FoundationEssentials

/// A short stand-in for a name or an address where it should not be read in passing: 128 bits of SHA-256 as 22
/// characters. The same in every process. Not a secret: who suspects a name can check.
public enum Pseudonym {
    public static func of(_ text: String) -> String {
        Base64URL.encode(SHA256.hash(data: Data(text.utf8)).prefix(16))
    }
}
