import CommonUtil
import Crypto
import FoundationEssentials

/// A refresh token of 256 random bits. Only its hash is stored; for a random value of this size a plain SHA-256 is enough.
public struct RefreshToken: Sendable {
    /// The text for the client: 43 characters of URL-safe base64.
    public let text: String

    private static let byteCount = 32

    /// Creates a random token.
    public init() { self.init(bytes: RandomBytes.make(count: Self.byteCount)) }

    /// Returns the token that replaces this one: HMAC-SHA256 (RFC 2104) with this token as the key, over a salt that is
    /// created at its first use and stored beside its hash. So the same token can be sent again to a client that did not get
    /// the response, although it is not stored.
    ///
    /// Security: the token alone lacks 256 random bits of salt, so a copied token gives nothing beyond what the server issues
    /// for it. The database alone lacks the key of the HMAC, of which it has only the hash. With both, a used token and a
    /// copy of the database, an attacker could derive the following tokens up to the present one as long as the salts exist:
    /// so a salt is erased soon after the time in which it is needed (`RefreshTokenRepository`). Without either part the
    /// result is as random as a token of ``init()``.
    public func successor(salt: [UInt8]) -> RefreshToken {
        let code = HMAC<SHA256>.authenticationCode(for: Data(salt), using: SymmetricKey(data: Data(text.utf8)))
        return RefreshToken(bytes: code)
    }

    /// Returns 256 random bits for ``successor(salt:)``.
    public static func makeSalt() -> [UInt8] { RandomBytes.make(count: byteCount) }

    private init(bytes: some Sequence<UInt8>) { text = Base64URL.encode(bytes) }

    /// Reads a token that a client sent.
    /// - Returns: `nil` for text that is not a token.
    public init?(text: String) {
        guard Base64URL.decode(text)?.count == Self.byteCount else { return nil }
        self.text = text
    }

    /// SHA-256 of the text, 32 bytes, by which tokens are stored and found.
    public var hash: [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }
}
