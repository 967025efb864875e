import CommonUtil
import Crypto
import FoundationEssentials

@testable import CommonAuth

/// Makes tokens of any content, signed rightly or not.
struct TokenForge {
    let key = Curve25519.Signing.PrivateKey()

    var keyID: String { get throws { try VerificationKey(rawRepresentation: key.publicKey.rawRepresentation).keyID } }
    var keys: KeySet {
        get throws { KeySet([try VerificationKey(rawRepresentation: key.publicKey.rawRepresentation)]) }
    }

    func header(alg: String = "EdDSA", kid: String? = nil, more: String = "") throws -> String {
        #"{"alg":"\#(alg)","typ":"JWT","kid":"\#(try kid ?? keyID)"\#(more)}"#
    }

    func signed(header: String, claims: String) throws -> String {
        let input = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.utf8)
        return input + "." + Base64URL.encode(try key.signature(for: Data(input.utf8)))
    }

    func token(claims: String) throws -> String { try signed(header: header(), claims: claims) }

    /// The time at which `claims` are issued, in seconds since 1970.
    static let issuedAt: Int64 = 1_800_000_000

    func claims(
        sub: String = #""7""#, iss: String = #""chat""#, aud: String = #""chat""#, exp: String? = "1800000900",
        more: String = ""
    ) -> String {
        #"{"sub":\#(sub),"iss":\#(iss),"aud":\#(aud),"iat":1800000000\#(exp.map { #","exp":\#($0)"# } ?? "")\#(more)}"#
    }
}
