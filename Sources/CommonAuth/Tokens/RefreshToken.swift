import Crypto
import FoundationEssentials

/// A refresh token: 256 bits that nobody can guess. Only its hash is stored; with that much randomness a plain SHA-256 is
/// enough.
public struct RefreshToken: Sendable {
    /// What the client keeps: 43 characters of URL-safe base64.
    public let text: String

    private static let byteCount = 32

    /// A new one.
    public init() { self.init(bytes: RandomBytes.make(count: Self.byteCount)) }

    /// The token that takes this one's place: HMAC-SHA256 (RFC 2104) with this token as the key, over a salt that is made
    /// at its first use and stored beside its hash. So the next token can be given again to a client that did not get the
    /// answer, although it is stored nowhere.
    ///
    /// Why this is safe: who has the token alone lacks 256 random bits of salt, so a copied token is worth nothing beyond
    /// what the server gives for it. Who has the database alone lacks the key of the HMAC, of which it holds only the hash.
    /// Who has both, a used token and a copy of the database, could go from token to token up to the present one, as long
    /// as the salts are there: so a salt is erased soon after the time in which it is needed
    /// (`RefreshTokenRepository`). The outcome is as random as a token of ``init()`` to all who lack either part.
    public func successor(salt: [UInt8]) -> RefreshToken {
        let code = HMAC<SHA256>.authenticationCode(for: Data(salt), using: SymmetricKey(data: Data(text.utf8)))
        return RefreshToken(bytes: code)
    }

    /// 256 random bits for ``successor(salt:)``.
    public static func makeSalt() -> [UInt8] { RandomBytes.make(count: byteCount) }

    private init(bytes: some Sequence<UInt8>) { text = Base64URL.encode(bytes) }

    /// One that a client sent.
    /// - Returns: `nil` for a text that is no token's.
    public init?(text: String) {
        guard Base64URL.decode(text)?.count == Self.byteCount else { return nil }
        self.text = text
    }

    /// SHA-256 of the text, 32 bytes: what is stored and looked up.
    public var hash: [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }
}
