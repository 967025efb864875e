import CommonUtil
import Crypto
import FoundationEssentials
import JWTKit

/// A set of public keys by their ids, and its JSON form (JWKS, RFC 7517 section 5, RFC 8037 section 2).
public struct KeySet: Sendable {
    /// Maximum number of keys in a JWKS, more than any rotation needs.
    static let maximumCount = 100

    private let keys: [String: VerificationKey]

    /// Creates a set. Of keys with the same id the first is used.
    public init(_ keys: some Sequence<VerificationKey>) {
        self.keys = Dictionary(keys.map { ($0.keyID, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The key with an id; `nil` for an unknown one.
    public subscript(keyID: String) -> VerificationKey? { keys[keyID] }
    /// Whether there are no keys.
    public var isEmpty: Bool { keys.isEmpty }
    /// The ids of the keys.
    public var keyIDs: Set<String> { Set(keys.keys) }

    /// Reads a JWKS. Keys of other types or for other uses are ignored.
    /// - Returns: `nil` for text that is not a JWKS, or has no usable key.
    init?(jwks: [UInt8]) {
        guard case .object(let members)? = try? JSONParser.parse(jwks), case .array(let elements)? = members["keys"],
            elements.count <= Self.maximumCount
        else { return nil }
        self.init(elements.compactMap(Self.key))
        guard !isEmpty else { return nil }
    }

    private static func key(_ json: JSONValue) -> VerificationKey? {
        guard case .object(let members) = json, members["kty"] == .string("OKP"), members["crv"] == .string("Ed25519"),
            members["use"] ?? .string("sig") == .string("sig"), members["alg"] ?? .string("EdDSA") == .string("EdDSA"),
            case .string(let keyID)? = members["kid"], case .string(let x)? = members["x"],
            let bytes = Base64URL.decode(x)
        else { return nil }
        return try? VerificationKey(rawRepresentation: bytes, keyID: keyID)
    }
}

extension KeySet: JSONEncodable {
    /// Writes the set as a JWKS.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("keys")
            writer.array(keys.values.sorted { $0.keyID < $1.keyID }) { writer, key in
                writer.object { writer in
                    writer.member("kty", "OKP")
                    writer.member("crv", "Ed25519")
                    writer.member("use", "sig")
                    writer.member("alg", "EdDSA")
                    writer.member("kid", key.keyID)
                    writer.member("x", Base64URL.encode(key.rawRepresentation))
                }
            }
        }
    }
}

/// An Ed25519 public key that verifies access tokens.
public struct VerificationKey: Sendable {
    /// The `kid` in a token's header: the thumbprint of the key (RFC 7638).
    public let keyID: String
    /// The key's 32 bytes (RFC 8032).
    public let rawRepresentation: [UInt8]
    private let key: Curve25519.Signing.PublicKey

    /// Creates a key from its 32 bytes.
    /// - Throws: an error of CryptoKit where they are not a key.
    public init(rawRepresentation: some Sequence<UInt8>) throws {
        let bytes = Array(rawRepresentation)
        let key = try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        self.init(key: key, bytes: bytes, keyID: Self.thumbprint(bytes))
    }

    /// Reads a PEM text (`BEGIN PUBLIC KEY`, RFC 8410).
    public init(pem: String) throws {
        try self.init(rawRepresentation: EdDSA.PublicKey(pem: pem).rawRepresentation)
    }

    /// Creates a key with the id that it has in a JWKS.
    init(rawRepresentation bytes: [UInt8], keyID: String) throws {
        self.init(key: try Curve25519.Signing.PublicKey(rawRepresentation: bytes), bytes: bytes, keyID: keyID)
    }

    private init(key: Curve25519.Signing.PublicKey, bytes: [UInt8], keyID: String) {
        self.key = key
        self.rawRepresentation = bytes
        self.keyID = keyID
    }

    /// Whether a signature is valid for data.
    func isValid(signature: [UInt8], for data: some DataProtocol) -> Bool {
        key.isValidSignature(signature, for: data)
    }

    /// The thumbprint (RFC 8037 appendix A.3): SHA-256 of the required members in lexical order, without white space.
    private static func thumbprint(_ bytes: [UInt8]) -> String {
        let members = #"{"crv":"Ed25519","kty":"OKP","x":"\#(Base64URL.encode(bytes))"}"#
        return Base64URL.encode(SHA256.hash(data: Data(members.utf8)))
    }
}

/// A source of the public keys of a verifier.
public protocol KeySource: Sendable {
    /// The present keys; `nil` before the first ones are known.
    var keys: KeySet? { get }

    /// Returns the keys after a refresh, for a token with a key that is not in ``keys``.
    /// - Throws: `unavailable` (503) if they cannot be fetched.
    func refreshedKeys() async throws(ChatError) -> KeySet
}

extension KeySource {
    /// Whether there are keys, for the readiness check `keys`.
    public var isReady: Bool { keys != nil }
}

/// The keys of this process, which is the system server.
public struct LocalKeys: KeySource {
    private let current: @Sendable () -> KeySet

    /// - Parameter current: returns the present keys.
    public init(_ current: @escaping @Sendable () -> KeySet) { self.current = current }

    /// The present keys.
    public var keys: KeySet? { current() }
    /// Returns the present keys.
    public func refreshedKeys() async throws(ChatError) -> KeySet { current() }
}
