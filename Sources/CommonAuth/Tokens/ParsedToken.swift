import CommonUtil

/// A compact JWS (RFC 7515 section 7.1) whose header has been read; nothing of it is to be believed yet.
struct ParsedToken {
    let keyID: String
    let signature: [UInt8]
    /// Header and payload as they were signed.
    let signedBytes: [UInt8]
    private let payload: [UInt8]

    /// - Throws: `invalid_token` for another algorithm than EdDSA, no `kid`, or a critical extension (none is known),
    ///   and for a text that two readers could understand differently.
    init(_ token: String) throws(ChatError) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]),
            case .object(let members)? = try? JSONParser.parse(header, uniqueKeys: true),
            members["alg"] == .string(AccessToken.algorithm), members["crit"] == nil,
            case .string(let keyID)? = members["kid"], !keyID.isEmpty
        else { throw .badToken }
        self.keyID = keyID
        self.signature = signature
        self.payload = payload
        self.signedBytes = Array(token.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
    }

    /// To be asked for after the signature has been checked.
    func claims() throws(ChatError) -> VerifiedClaims {
        guard case .object(let members)? = try? JSONParser.parse(payload, uniqueKeys: true) else { throw .badToken }
        return VerifiedClaims(members: members)
    }
}

/// The claims of a token whose signature is right.
struct VerifiedClaims {
    let members: JSONObject

    /// - Throws: `invalid_token` where the token is for someone else, has ended or has not begun.
    func user(at now: Timestamp) throws(ChatError) -> AuthenticatedUser {
        guard members["iss"] == .string(AccessToken.issuer), isForUs,
            case .string(let subject)? = members["sub"], let userID = UserID(text: subject),
            let expiry = time("exp")
        else { throw .badToken }
        guard now < expiry else { throw ChatError(.invalidToken, "The access token has expired") }
        if members["nbf"] != nil {
            guard let start = time("nbf"), start <= now else { throw .badToken }
        }
        return AuthenticatedUser(
            userID: userID, tokenExpiresAt: expiry, tokenIssuedAt: time("iat"), signInID: try signInID())
    }

    /// A `sid` of another form was given by no system server, so none can end it: such a token counts as one without.
    /// - Throws: `invalid_token` for one that is no string.
    private func signInID() throws(ChatError) -> SignInID? {
        guard let claim = members["sid"] else { return nil }
        guard case .string(let text) = claim else { throw .badToken }
        return SignInID(text: text)
    }

    /// One audience or several (RFC 7519 section 4.1.3).
    private var isForUs: Bool {
        let ours = JSONValue.string(AccessToken.audience)
        if case .array(let audiences)? = members["aud"] { return audiences.contains(ours) }
        return members["aud"] == ours
    }

    /// A NumericDate: seconds since 1970, perhaps with a fraction (RFC 7519 section 2). Years beyond 9999 are cut.
    private func time(_ name: String) -> Timestamp? {
        guard case .number(let text)? = members[JSONKey(name)], let seconds = Double(text), !seconds.isNaN else {
            return nil
        }
        let bounded = min(max(seconds, 0), 253_402_300_799)
        return Timestamp(microseconds: Int64(bounded * 1_000_000))
    }
}
