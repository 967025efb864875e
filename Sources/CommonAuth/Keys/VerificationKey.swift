import CommonUtil
import Crypto
import FoundationEssentials
import JWTKit

/// An Ed25519 public key that access tokens may be signed by.
public struct VerificationKey: Sendable {
    /// What a token's header calls the key: its thumbprint (RFC 7638).
    public let keyID: String
    /// 32 bytes (RFC 8032).
    public let rawRepresentation: [UInt8]
    private let key: Curve25519.Signing.PublicKey

    public init(rawRepresentation: some Sequence<UInt8>) throws {
        let bytes = Array(rawRepresentation)
        let key = try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        self.init(key: key, bytes: bytes, keyID: Self.thumbprint(bytes))
    }

    /// Reads a public key PEM file (`BEGIN PUBLIC KEY`, RFC 8410).
    public init(pem: String) throws {
        try self.init(rawRepresentation: EdDSA.PublicKey(pem: pem).rawRepresentation)
    }

    /// A key with the id that the key set it stands in gives it.
    init(rawRepresentation bytes: [UInt8], keyID: String) throws {
        self.init(key: try Curve25519.Signing.PublicKey(rawRepresentation: bytes), bytes: bytes, keyID: keyID)
    }

    private init(key: Curve25519.Signing.PublicKey, bytes: [UInt8], keyID: String) {
        self.key = key
        self.rawRepresentation = bytes
        self.keyID = keyID
    }

    func isValid(signature: [UInt8], for data: some DataProtocol) -> Bool {
        key.isValidSignature(signature, for: data)
    }

    /// RFC 8037 appendix A.3: the required members in lexical order, no white space, SHA-256.
    private static func thumbprint(_ bytes: [UInt8]) -> String {
        let members = #"{"crv":"Ed25519","kty":"OKP","x":"\#(Base64URL.encode(bytes))"}"#
        return Base64URL.encode(SHA256.hash(data: Data(members.utf8)))
    }
}
