import CommonUtil

/// Who a token of an issuer names.
public struct ForeignIdentity: Equatable, Sendable {
    /// The issuer's prefix and the user claim.
    public let externalID: ExternalID
    /// The name claim as it is; `nil` if there is none.
    public let name: String?
    public let issuer: Issuer
    /// The token's `iat`; `nil` if it has none.
    public let issuedAt: Timestamp?
}

/// A token of an issuer (compact JWS, RFC 7515 section 7.1). Nothing of it is verified yet.
struct ForeignToken: Sendable {
    static let maximumBytes = 16 * 1_024
    /// Leeway for `exp`, `nbf` and `iat`, since clocks differ.
    private static let leewaySeconds: Int64 = 60

    let text: String
    let algorithm: Issuer.Algorithm
    /// The `kid`; `nil` if there is none.
    let keyID: String?
    private let claims: JSONObject

    /// Parses a token. `jwk`, `jku`, `x5u` and the like are not looked at.
    /// - Throws: `invalid_token` for another algorithm, for a critical extension (none is known), and for text that two
    ///   parsers could understand differently.
    init(_ text: String) throws(ChatError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= Self.maximumBytes, parts.count == 3,
            let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            Base64URL.decode(parts[2]) != nil,
            case .object(let members)? = try? JSONParser.parse(header, uniqueKeys: true),
            case .object(let claims)? = try? JSONParser.parse(payload, uniqueKeys: true),
            case .string(let name)? = members["alg"], let algorithm = Issuer.Algorithm(rawValue: name),
            members["crit"] == nil
        else { throw .badToken }
        switch members["kid"] {
        case .string(let keyID)?: self.keyID = keyID
        case nil: keyID = nil
        default: throw .badToken
        }
        self.text = text
        self.algorithm = algorithm
        self.claims = claims
    }

    /// The `iss`, by which the issuer is found.
    var issuer: String? { if case .string(let issuer)? = claims["iss"] { issuer } else { nil } }

    /// Reads the claims. Must be called after the signature was verified.
    /// - Throws: `invalid_token` for a token of or for somebody else, one that has expired or is not valid yet, and one
    ///   that names no user.
    func identity(_ issuer: Issuer, at now: Timestamp) throws(ChatError) -> ForeignIdentity {
        guard self.issuer.map({ $0.hasSameBytes(as: issuer.issuer) }) ?? false, isFor(issuer) else {
            throw .badToken
        }
        let (earliest, latest) = (Self.shifted(now, -Self.leewaySeconds), Self.shifted(now, Self.leewaySeconds))
        guard let expiry = try time("exp"), earliest < expiry else {
            throw ChatError(.invalidToken, "The token has expired, or does not say when it does")
        }
        if let start = try time("nbf"), start > latest { throw .badToken }
        let issuedAt = try time("iat")
        if let issuedAt, issuedAt > latest { throw .badToken }
        if issuer.userClaim == "email", claims["email_verified"] != .bool(true) {
            throw ChatError(.invalidToken, "The address of the token is not verified")
        }
        guard let user = userText(issuer.userClaim), let externalID = ExternalID(issuer.prefix + user) else {
            throw ChatError(.invalidToken, "The token names no user")
        }
        let name: String? = if case .string(let name)? = claims[JSONKey(issuer.nameClaim)] { name } else { nil }
        return ForeignIdentity(externalID: externalID, name: name, issuer: issuer, issuedAt: issuedAt)
    }

    private func isFor(_ issuer: Issuer) -> Bool {
        switch claims["aud"] {
        case .string(let audience)?: issuer.audiences.contains(audience)
        case .array(let audiences)?:
            audiences.contains {
                if case .string(let audience) = $0 { issuer.audiences.contains(audience) } else { false }
            }
        default: false
        }
    }

    /// The user claim: a text, or an integer as decimal text.
    private func userText(_ claim: String) -> String? {
        switch claims[JSONKey(claim)] {
        case .string(let text)?: return text.isEmpty ? nil : text
        case .number(let text)?:
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            return digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) ? text : nil
        default: return nil
        }
    }

    /// A NumericDate, bounded by the year 9999; `nil` if the claim is absent.
    /// - Throws: `invalid_token` if it is no number.
    private func time(_ name: String) throws(ChatError) -> Timestamp? {
        guard let claim = claims[JSONKey(name)] else { return nil }
        guard case .number(let text) = claim, let seconds = Double(text), !seconds.isNaN else { throw .badToken }
        return Timestamp(microseconds: Int64(min(max(seconds, 0), 253_402_300_799) * 1_000_000))
    }

    private static func shifted(_ time: Timestamp, _ seconds: Int64) -> Timestamp {
        Timestamp(microseconds: time.microseconds + seconds * 1_000_000)
    }
}
