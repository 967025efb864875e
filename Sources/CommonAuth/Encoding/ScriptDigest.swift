import Crypto
import FoundationEssentials

/// The name under which Redis keeps a script (`EVALSHA`): SHA-1 in hexadecimal. Nothing rests on its strength.
public enum ScriptDigest {
    public static func of(_ source: String) -> String {
        Insecure.SHA1.hash(data: Data(source.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
