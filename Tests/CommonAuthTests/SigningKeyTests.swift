import CommonUtil
import FoundationEssentials
import JWTKit
import Logging
import Synchronization
import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(2))) struct SigningKeyTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func signer(_ path: String) async throws -> TokenSigner {
        try await TokenSigner(keyFile: path, lifetimeSeconds: 60)
    }

    @Test func `a key is created with mode 0600 and stays`() async throws {
        let path = folder.path + "/deep/er/signing-key.pem"
        let first = try await signer(path)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        #expect(try await signer(path).keyID == first.keyID)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/deep/er") == ["signing-key.pem"])
    }

    @Test(arguments: [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)])
    func `a key that others can read is warned of`(mode: Int, isWarnedOf: Bool) async throws {
        let path = folder.path + "/signing-key.pem"
        _ = try await signer(path)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let warnings = Warnings()
        let logger = Logger(label: "test") { _ in warnings.handler }
        _ = try await TokenSigner(keyFile: path, lifetimeSeconds: 60, logger: logger)
        #expect(warnings.count.withLock { $0 } == (isWarnedOf ? 1 : 0))
    }

    @Test func `several processes at once end up with one key`() async throws {
        let path = folder.path + "/new/key.pem"
        let keyIDs = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { try await signer(path).keyID } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(keyIDs.count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/new") == ["key.pem"])
    }

    @Test(arguments: [
        "", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ])
    func `a file without a key is refused`(text: String) async throws {
        let path = try folder.write(text, to: "key.pem")
        await #expect {
            try await signer(path)
        } throws: { "\($0)".hasPrefix("CHAT_SIGNING_KEY_FILE is '\(path)', allowed is: an Ed25519 private key") }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }

    @Test func `a key of another kind is refused`() async throws {
        let path = try folder.write(ES256PrivateKey().pemRepresentation, to: "key.pem")
        await #expect(throws: ConfigurationError.self) { try await signer(path) }
    }

    @Test func `an impossible folder is refused`() async throws {
        let file = try folder.write("", to: "file")
        await #expect(throws: ConfigurationError.self) { try await signer(file + "/key.pem") }
        await #expect(throws: ConfigurationError.self) { try await signer(folder.path) }
    }

    @Test func `public keys beside it are accepted`() async throws {
        let old = try EdDSA.PrivateKey()
        _ = try folder.write(old.publicKey.pemRepresentation, to: "old.pub.pem")
        let signer = try await signer(folder.path + "/key.pem")
        let keyID = try VerificationKey(rawRepresentation: old.publicKey.rawRepresentation).keyID
        #expect(signer.keys.keyIDs == [signer.keyID, keyID])
        #expect(KeySet(jwks: signer.jwksJSON)?.keyIDs == signer.keys.keyIDs)

        _ = try folder.write("rubbish", to: "bad.pub.pem")
        await #expect {
            try await self.signer(folder.path + "/key.pem")
        } throws: { "\($0)".contains("bad.pub.pem") }
    }

    @Test func `files are read again`() async throws {
        let path = folder.path + "/key.pem"
        let signer = try await signer(path)
        let verifier = TokenVerifier(keys: signer.keySource)
        let oldID = signer.keyID
        let oldToken = try await signer.sign(userID: UserID(1)).token
        let old = try EdDSA.PrivateKey(pem: String(contentsOfFile: path, encoding: .utf8))
        let new = try EdDSA.PrivateKey()
        let newID = try VerificationKey(rawRepresentation: new.publicKey.rawRepresentation).keyID

        _ = try folder.write(old.publicKey.pemRepresentation, to: "previous.pub.pem")
        _ = try folder.write(new.publicKey.pemRepresentation, to: "next.pub.pem")
        await signer.reread()
        #expect(signer.keys.keyIDs == [oldID, newID])
        #expect(signer.keyID == oldID)

        // Half a file, or none, changes nothing, and no key is made in its place.
        _ = try folder.write("-----BEGIN PRIVATE", to: "key.pem")
        await signer.reread()
        #expect(signer.keyID == oldID)
        try FileManager.default.removeItem(atPath: path)
        await signer.reread()
        #expect(signer.keyID == oldID)
        #expect(!FileManager.default.fileExists(atPath: path))

        _ = try folder.write(new.pemRepresentation, to: "key.pem")
        await signer.reread()
        #expect(signer.keyID == newID)
        #expect(KeySet(jwks: signer.jwksJSON)?.keyIDs == [oldID, newID])
        let newToken = try await signer.sign(userID: UserID(1)).token
        for token in [oldToken, newToken] { #expect(try await verifier.verify(token).userID == UserID(1)) }

        try FileManager.default.removeItem(atPath: folder.path + "/previous.pub.pem")
        await signer.reread()
        await #expect(throws: ChatError.self) { try await verifier.verify(oldToken) }
        #expect(try await verifier.verify(newToken).userID == UserID(1))
    }

    /// RFC 8037 appendix A.3.
    @Test func `keys are named by their thumbprint`() throws {
        let x = try #require(Base64URL.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
        let key = try VerificationKey(rawRepresentation: x)
        #expect(key.keyID == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        #expect(
            String(decoding: KeySet([key]).jsonBytes, as: UTF8.self)
                == #"{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"\#(key.keyID)","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
        )
    }

    @Test(arguments: [
        "", "[]", #"{"keys":[]}"#, #"{"keys":{}}"#, #"{"keys":[{"kty":"RSA","kid":"a","n":"AQ","e":"AQAB"}]}"#,
        #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        #"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}]}"#,
        #"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    ])
    func `key sets without a usable key are refused`(json: String) {
        #expect(KeySet(jwks: Array(json.utf8)) == nil)
    }
}

/// Counts warnings.
private final class Warnings: Sendable {
    let count = Mutex(0)

    var handler: some LogHandler { Handler(warnings: self) }

    private struct Handler: LogHandler {
        let warnings: Warnings
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        init(warnings: Warnings) { self.warnings = warnings }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if event.level == .warning { warnings.count.withLock { $0 += 1 } }
        }
    }
}
