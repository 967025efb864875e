import Crypto
import FoundationEssentials

/// A refresh token: 256 random bits. Only its hash is stored; with that much randomness a plain SHA-256 is enough.
public struct RefreshToken: Sendable {
    /// What the client keeps: 43 characters of URL-safe base64.
    public let text: String

    private static let byteCount = 32

    /// A new one.
    public init() { text = Base64URL.encode(RandomBytes.make(count: Self.byteCount)) }

    /// One that a client sent.
    /// - Returns: `nil` for what ``init()`` cannot have made.
    public init?(text: String) {
        guard Base64URL.decode(text)?.count == Self.byteCount else { return nil }
        self.text = text
    }

    /// SHA-256 of the text, 32 bytes: what is stored and looked up.
    public var hash: [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }
}
