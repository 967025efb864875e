import CommonUtil

/// Public keys by their id, and their JSON form (RFC 7517 section 5, RFC 8037 section 2).
public struct KeySet: Sendable {
    /// More keys than any rotation has: a set that is larger is a fault or an attack.
    static let maximumCount = 100

    private let keys: [String: VerificationKey]

    public init(_ keys: some Sequence<VerificationKey>) {
        self.keys = Dictionary(keys.map { ($0.keyID, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public subscript(keyID: String) -> VerificationKey? { keys[keyID] }
    public var isEmpty: Bool { keys.isEmpty }
    public var keyIDs: Set<String> { Set(keys.keys) }

    /// Reads a JWKS. Keys of other kinds or for other uses are passed over, so that they can be added without harm.
    /// - Returns: `nil` for what is no JWKS, and for one without a usable key: a set that trusts nobody is a fault.
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
