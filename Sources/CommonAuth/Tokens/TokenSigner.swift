import CommonUtil
import JWTKit
import Logging
import ServiceLifecycle
import Synchronization

/// Signs access tokens (JWT, RFC 7519; EdDSA, RFC 8037) with the key of a file. As a service it reads the files of keys
/// again and again, so that keys are rotated without a restart.
public final class TokenSigner: Service {
    private struct Keys: Sendable {
        let accepted: KeySet
        let signingKeyID: String
        let signing: JWTKeyCollection
    }

    public let lifetimeSeconds: Int

    private let file: SigningKeyFile
    private let rereadInterval: Duration
    private let logger: Logger
    private let state: Mutex<Keys>

    /// The key file holds an Ed25519 private key, PKCS#8 PEM; it is made with mode 0600 if it is not there. Public keys
    /// in `*.pub.pem` beside it are accepted too.
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

    /// The key that signs, and further ones that are accepted.
    public var keys: KeySet { state.withLock(\.accepted) }
    public var keyID: String { state.withLock(\.signingKeyID) }

    /// For the system server's own verifier.
    public var keySource: LocalKeys { LocalKeys { self.keys } }

    /// The answer of `/.well-known/jwks.json`.
    public var jwksJSON: [UInt8] { keys.jsonBytes }

    /// When a token that is issued at this time ends, at the latest.
    public func expiry(issuedAt: Timestamp) -> Timestamp {
        Timestamp(microseconds: issuedAt.microseconds + Int64(lifetimeSeconds) * 1_000_000)
    }

    /// - Parameter issuedAt: from then on the token's life counts, in whole seconds.
    /// - Returns: the token, and the seconds that it is good for.
    public func sign(
        userID: UserID, signInID: SignInID? = nil, issuedAt: Timestamp = .now
    ) async throws -> (token: String, expiresIn: Int) {
        let claims = AccessTokenClaims(
            userID: userID, signInID: signInID, issuedAt: issuedAt.seconds, lifetimeSeconds: lifetimeSeconds)
        let keys = state.withLock { $0 }
        let header: JWTHeader = ["kid": .string(keys.signingKeyID), "typ": "JWT"]
        return (try await keys.signing.sign(claims, header: header), lifetimeSeconds)
    }

    // MARK: Rotation

    /// Reads the files every few seconds. Returns at graceful shutdown.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: self.rereadInterval)
                await self.reread()
            }
        }
    }

    /// Takes what the files hold now. Where one cannot be read, perhaps since it is being written, all stays as it was.
    func reread() async {
        do {
            let keys = try await Self.read(file)
            let isNews = state.withLock { state in
                let isNews = state.signingKeyID != keys.signingKeyID || state.accepted.keyIDs != keys.accepted.keyIDs
                if isNews { state = keys }
                return isNews
            }
            guard isNews else { return }
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
