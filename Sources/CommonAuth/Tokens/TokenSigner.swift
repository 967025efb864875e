import CommonUtil
import JWTKit

/// Signs access tokens (JWT, RFC 7519; EdDSA, RFC 8037) with the key of a file.
public final class TokenSigner: Sendable {
    /// The key that signs, and further ones that are accepted.
    public let keys: KeySet
    public let keyID: String
    public let lifetimeSeconds: Int

    private let signingKeys: JWTKeyCollection

    /// The key file holds an Ed25519 private key, PKCS#8 PEM; it is made with mode 0600 if it is not there. Public keys
    /// in `*.pub.pem` beside it are accepted too.
    /// - Throws: ``ConfigurationError`` naming `CHAT_SIGNING_KEY_FILE`.
    public init(keyFile path: String, lifetimeSeconds: Int) async throws {
        let file = SigningKeyFile(path: path)
        let privateKey = try file.load()
        let publicKey = try VerificationKey(rawRepresentation: privateKey.publicKey.rawRepresentation)
        self.keys = KeySet([publicKey] + (try file.furtherPublicKeys()))
        self.keyID = publicKey.keyID
        self.lifetimeSeconds = lifetimeSeconds
        self.signingKeys = await JWTKeyCollection().add(eddsa: privateKey)
    }

    /// For the system server's own verifier.
    public var keySource: LocalKeys { LocalKeys(keys) }

    /// The answer of `/.well-known/jwks.json`.
    public var jwksJSON: [UInt8] { keys.jsonBytes }

    /// - Returns: the token, and the seconds that it is good for.
    public func sign(userID: UserID) async throws -> (token: String, expiresIn: Int) {
        let claims = AccessTokenClaims(
            userID: userID, issuedAt: Timestamp.now.seconds, lifetimeSeconds: lifetimeSeconds)
        let header: JWTHeader = ["kid": .string(keyID), "typ": "JWT"]
        return (try await signingKeys.sign(claims, header: header), lifetimeSeconds)
    }
}
