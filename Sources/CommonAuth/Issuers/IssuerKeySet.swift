import CommonUtil
import Crypto
import FoundationEssentials
import JWTKit

/// A public key of an issuer.
struct IssuerKey: Sendable {
    /// The `kid`; `nil` if the key has none.
    let keyID: String?
    /// The algorithm that its type is for.
    let algorithm: Issuer.Algorithm
    private let verifier: JWTKeyCollection

    /// Verifies the signature of a token.
    func verifies(_ token: String) async -> Bool {
        // The collection has one key, so it is this one that verifies whatever the token's `kid`. All claims are checked by
        // ``ForeignToken``.
        (try? await verifier.verify(token, as: SignedAnything.self)) != nil
    }

    private struct SignedAnything: JWTPayload {
        func verify(using _: some JWTAlgorithm) async throws {}
    }

    /// Reads a key of a JWKS.
    /// - Returns: `nil` for one that is not for signatures, or of a type, curve or size that is not accepted.
    init?(_ json: JSONValue) async {
        guard case .object(let members) = json, members["use"] ?? .string("sig") == .string("sig"),
            case .string(let type)? = members["kty"], let algorithm = Self.algorithm(type, members),
            members["alg"] ?? .string(algorithm.rawValue) == .string(algorithm.rawValue),
            Self.isForVerifying(members["key_ops"])
        else { return nil }
        switch members["kid"] {
        case .string(let keyID)?: self.keyID = keyID
        case nil: keyID = nil
        default: return nil
        }
        guard let verifier = await Self.verifier(algorithm, members) else { return nil }
        self.algorithm = algorithm
        self.verifier = verifier
    }

    private static func algorithm(_ type: String, _ members: JSONObject) -> Issuer.Algorithm? {
        switch (type, members["crv"]) {
        case ("RSA", _): .rs256
        case ("EC", .string("P-256")?): .es256
        case ("OKP", .string("Ed25519")?): .eddsa
        default: nil
        }
    }

    private static func isForVerifying(_ operations: JSONValue?) -> Bool {
        guard let operations else { return true }
        guard case .array(let values) = operations else { return false }
        return values.contains(.string("verify"))
    }

    private static let minimumRSABits = 2_048

    private static func verifier(_ algorithm: Issuer.Algorithm, _ members: JSONObject) async -> JWTKeyCollection? {
        func bytes(_ name: String) -> [UInt8]? {
            guard case .string(let text)? = members[JSONKey(name)] else { return nil }
            return Base64URL.decode(text)
        }
        switch algorithm {
        case .rs256:
            guard let modulus = bytes("n"), let exponent = bytes("e"), bitCount(modulus) >= minimumRSABits,
                let key = try? Insecure.RSA.PublicKey(
                    modulus: Base64URL.encode(modulus), exponent: Base64URL.encode(exponent))
            else { return nil }
            return await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256)
        case .es256:
            guard let x = bytes("x"), let y = bytes("y"), x.count == 32, y.count == 32,
                let key = try? P256.Signing.PublicKey(rawRepresentation: x + y),
                let publicKey = try? ECDSA.PublicKey<P256>(backing: key)
            else { return nil }
            return await JWTKeyCollection().add(ecdsa: publicKey)
        case .eddsa:
            guard let x = bytes("x"), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x) else {
                return nil
            }
            return await JWTKeyCollection().add(eddsa: EdDSA.PublicKey(backing: key))
        }
    }

    private static func bitCount(_ number: [UInt8]) -> Int {
        let significant = number.drop { $0 == 0 }
        guard let first = significant.first else { return 0 }
        return significant.count * 8 - first.leadingZeroBitCount
    }
}

/// The keys of an issuer, as it published them.
struct IssuerKeySet: Sendable {
    /// Maximum number of keys; further ones are not read.
    private static let maximumCount = 100

    let keys: [IssuerKey]

    /// Reads a JWKS.
    /// - Returns: `nil` for text that is not one. Keys that are not accepted are passed over.
    init?(jwks: [UInt8]) async {
        guard case .object(let members)? = try? JSONParser.parse(jwks), case .array(let elements)? = members["keys"]
        else { return nil }
        var keys: [IssuerKey] = []
        for element in elements.prefix(Self.maximumCount) {
            if let key = await IssuerKey(element) { keys.append(key) }
        }
        self.keys = keys
    }

    /// Whether a key has this `kid`, whatever it is for.
    func contains(keyID: String) -> Bool { keys.contains { $0.keyID == keyID } }

    /// The keys that can have signed a token.
    /// - Parameter keyID: the token's `kid`; where it has none, one key alone may fit.
    func candidates(_ algorithm: Issuer.Algorithm, keyID: String?) -> [IssuerKey] {
        let fitting = keys.filter { $0.algorithm == algorithm }
        guard let keyID else { return fitting.count == 1 ? fitting : [] }
        return fitting.filter { $0.keyID == keyID }
    }
}
