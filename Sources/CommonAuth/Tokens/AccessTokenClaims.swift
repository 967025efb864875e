import CommonUtil
import FoundationEssentials
import JWTKit

/// What the tokens of this platform have in common.
enum AccessToken {
    static let issuer = "chat"
    static let audience = "chat"
    /// The only algorithm (RFC 8037 section 3.1): a token cannot choose its own.
    static let algorithm = "EdDSA"
    /// Ours have about 400 bytes.
    static let maximumBytes = 4 * 1_024
}

/// The claims as they are signed.
struct AccessTokenClaims: JWTPayload {
    let sub: SubjectClaim
    /// The sign-in. Tokens that servers issued before there was this claim have none, and are good until they end.
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

    /// Tokens are checked by `TokenVerifier`.
    func verify(using _: some JWTAlgorithm) async throws {}
}
