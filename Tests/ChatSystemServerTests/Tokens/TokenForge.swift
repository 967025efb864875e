import CommonAuth
import Crypto
import Foundation

/// A signing key, and tokens of any content signed with it.
struct TokenForge: Sendable {
    // What stands before the 32 bytes of a key in DER (RFC 8410 section 7).
    private static let privateHead = Data([0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20])
    private static let publicHead = Data([0x30, 0x2A, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 3, 0x21, 0])

    let key: Curve25519.Signing.PrivateKey
    let keyID: String

    init(_ key: Curve25519.Signing.PrivateKey = .init()) throws {
        self.key = key
        keyID = try VerificationKey(rawRepresentation: key.publicKey.rawRepresentation).keyID
    }

    /// The key of a system server's file.
    init(file: String) throws {
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        let der = Data(base64Encoded: lines.filter { !$0.hasPrefix("-") }.joined()) ?? Data()
        try self.init(Curve25519.Signing.PrivateKey(rawRepresentation: der.suffix(32)))
    }

    var privatePEM: String { Self.pem("PRIVATE KEY", Self.privateHead + key.rawRepresentation) }
    var publicPEM: String { Self.pem("PUBLIC KEY", Self.publicHead + key.publicKey.rawRepresentation) }

    private static func pem(_ name: String, _ der: Data) -> String {
        "-----BEGIN \(name)-----\n\(der.base64EncodedString())\n-----END \(name)-----\n"
    }

    // MARK: Tokens

    func header(alg: String = "EdDSA", kid: String? = nil) -> String {
        #"{"alg":"\#(alg)","typ":"JWT","kid":"\#(kid ?? keyID)"}"#
    }

    /// The claims of a good token, with `more` behind them.
    static func claims(
        _ userID: Int64, iss: String = "chat", aud: String = #""chat""#, endsIn seconds: Int = 900, more: String = ""
    ) -> String {
        let now = Int(Date.now.timeIntervalSince1970)
        return #"{"sub":"\#(userID)","iss":"\#(iss)","aud":\#(aud),"iat":\#(now),"exp":\#(now + seconds)\#(more)}"#
    }

    static func input(_ header: String, _ claims: String) -> String {
        Base64URL.encode(header) + "." + Base64URL.encode(claims)
    }

    func token(header: String? = nil, _ claims: String) throws -> String {
        let input = Self.input(header ?? self.header(), claims)
        return input + "." + Base64URL.encode(try key.signature(for: Data(input.utf8)))
    }
}
