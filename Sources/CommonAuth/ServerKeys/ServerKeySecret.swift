import CommonUtil
import Crypto
import FoundationEssentials

/// The secret of a server's key: `chat_` and 256 random bits as 43 characters of URL-safe base64. Only its hash is stored;
/// for a random value of this size a plain SHA-256 is enough.
public struct ServerKeySecret: Sendable {
    /// What distinguishes a key from an access token, which never begins with it.
    private static let prefix = "chat_"
    private static let byteCount = 32

    /// The text for the server that gets the key. Must not be logged.
    public let text: String

    /// Creates a random secret.
    public init() { text = Self.prefix + Base64URL.encode(RandomBytes.make(count: Self.byteCount)) }

    /// Reads a secret that a caller sent.
    /// - Returns: `nil` for text that is not a secret.
    public init?(text: String) {
        guard Self.isKey(text), Base64URL.decode(text.dropFirst(Self.prefix.count))?.count == Self.byteCount else {
            return nil
        }
        self.text = text
    }

    /// Whether a bearer token is meant as a key, valid or not.
    public static func isKey(_ token: String) -> Bool { token.hasPrefix(prefix) }

    /// SHA-256 of the text, 32 bytes, by which keys are stored and found.
    public var hash: [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }
}
