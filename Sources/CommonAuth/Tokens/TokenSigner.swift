import CommonUtil
import FoundationEssentials
import JWTKit
import Logging
import ServiceLifecycle
import Synchronization

/// Signs access tokens (JWT, RFC 7519; EdDSA, RFC 8037) with the key of a file. As a service it rereads the key files
/// periodically, so that keys can be rotated without a restart.
public final class TokenSigner: Service {
    private struct Keys: Sendable {
        let accepted: KeySet
        let signingKeyID: String
        let signing: JWTKeyCollection
    }

    /// The lifetime of tokens.
    public let lifetimeSeconds: Int

    private let file: SigningKeyFile
    private let rereadInterval: Duration
    private let logger: Logger
    private let state: Mutex<Keys>

    /// Reads the keys.
    /// - Parameters:
    ///   - path: the file of an Ed25519 private key, PKCS#8 PEM, created with mode 0600 where it does not exist. The public
    ///     keys `*.pub.pem` in its folder are accepted too.
    ///   - lifetimeSeconds: the lifetime of tokens.
    ///   - rereadInterval: the time between two reads of the files.
    ///   - logger: logs changes of the keys.
    /// - Throws: ``ConfigurationError`` naming `CHAT_SIGNING_KEY_FILE`.
    public init(
        keyFile path: String, lifetimeSeconds: Int, rereadInterval: Duration = .seconds(5),
        logger: Logger = Logger(label: "keys")
    ) async throws {
        self.lifetimeSeconds = lifetimeSeconds
        self.rereadInterval = rereadInterval
        self.logger = logger
        file = SigningKeyFile(path: path)
        try file.createIfMissing()
        if file.isReadableByOthers {
            logger.warning(
                "The signing key can be read by others than its owner: who has it can be anybody. Mode 0600 is enough",
                metadata: ["file": "\(path)"])
        }
        state = Mutex(try await Self.read(file))
    }

    private static func read(_ file: SigningKeyFile) async throws(ConfigurationError) -> Keys {
        let (privateKey, publicKey) = try file.load()
        return Keys(
            accepted: KeySet([publicKey] + (try file.furtherPublicKeys())), signingKeyID: publicKey.keyID,
            signing: await JWTKeyCollection().add(eddsa: privateKey))
    }

    /// The public keys that verify tokens.
    public var keys: KeySet { state.withLock(\.accepted) }
    /// The id of the key that signs.
    public var keyID: String { state.withLock(\.signingKeyID) }

    /// The keys for the verifier of the same process.
    public var keySource: LocalKeys { LocalKeys { self.keys } }

    /// The body of `/.well-known/jwks.json`.
    public var jwksJSON: [UInt8] { keys.jsonBytes }

    /// Returns the latest expiry of a token that is issued at a time.
    /// - Parameter lifetimeSeconds: of the token, where it is another than that of all.
    public func expiry(issuedAt: Timestamp, lifetimeSeconds: Int? = nil) -> Timestamp {
        Timestamp(microseconds: issuedAt.microseconds + Int64(lifetimeSeconds ?? self.lifetimeSeconds) * 1_000_000)
    }

    /// Signs a token.
    /// - Parameters:
    ///   - issuedAt: the begin of the token's lifetime, rounded down to seconds.
    ///   - lifetimeSeconds: of the token, where it is another than that of all.
    /// - Returns: the token, and its lifetime in seconds.
    public func sign(
        userID: UserID, signInID: SignInID? = nil, issuedAt: Timestamp = .now, lifetimeSeconds: Int? = nil
    ) async throws -> (token: String, expiresIn: Int) {
        let lifetimeSeconds = lifetimeSeconds ?? self.lifetimeSeconds
        let claims = AccessTokenClaims(
            userID: userID, signInID: signInID, issuedAt: issuedAt.seconds, lifetimeSeconds: lifetimeSeconds)
        let keys = state.withLock { $0 }
        let header: JWTHeader = ["kid": .string(keys.signingKeyID), "typ": "JWT"]
        return (try await keys.signing.sign(claims, header: header), lifetimeSeconds)
    }

    // MARK: Rotation

    /// Rereads the files periodically. Returns on graceful shutdown.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: self.rereadInterval)
                await self.reread()
            }
        }
    }

    /// Rereads the files. If one cannot be read, for example while it is being written, the keys stay as they were.
    func reread() async {
        do {
            let keys = try await Self.read(file)
            let hasChanged = state.withLock { state in
                let hasChanged =
                    state.signingKeyID != keys.signingKeyID || state.accepted.keyIDs != keys.accepted.keyIDs
                if hasChanged { state = keys }
                return hasChanged
            }
            guard hasChanged else { return }
            logger.notice(
                "Keys have changed",
                metadata: [
                    "signing": "\(keys.signingKeyID)",
                    "accepted": "\(keys.accepted.keyIDs.sorted().joined(separator: " "))",
                ])
        } catch {
            logger.warning("Keys cannot be read again, the known ones stay", metadata: ["reason": "\(error)"])
        }
    }
}

/// The constants of access tokens.
enum AccessToken {
    static let issuer = "chat"
    static let audience = "chat"
    /// The only accepted algorithm (RFC 8037 section 3.1).
    static let algorithm = "EdDSA"
    /// Maximum size of a token; ours have about 400 bytes.
    static let maximumBytes = 4 * 1_024
}

/// The claims of an access token, for signing.
struct AccessTokenClaims: JWTPayload {
    let sub: SubjectClaim
    /// The sign-in. Tokens of older servers have none, and are valid until they expire.
    let sid: String?
    let iss: IssuerClaim
    let aud: AudienceClaim
    let iat: IssuedAtClaim
    let exp: ExpirationClaim
    let jti: IDClaim

    init(userID: UserID, signInID: SignInID?, issuedAt: Int64, lifetimeSeconds: Int) {
        sub = SubjectClaim(value: userID.description)
        sid = signInID?.description
        iss = IssuerClaim(value: AccessToken.issuer)
        aud = AudienceClaim(value: AccessToken.audience)
        iat = IssuedAtClaim(value: Date(timeIntervalSince1970: Double(issuedAt)))
        exp = ExpirationClaim(value: Date(timeIntervalSince1970: Double(issuedAt) + Double(lifetimeSeconds)))
        jti = IDClaim(value: Base64URL.encode(RandomBytes.make(count: 16)))
    }

    /// Not used: tokens are verified by ``TokenVerifier``.
    func verify(using _: some JWTAlgorithm) async throws {}
}
