import CommonUtil
import Crypto
import FoundationEssentials
import HTTPTypes
import JWTKit
import Synchronization
import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(2))) struct TokenTests {
    private let forge = TokenForge()

    private func verifier(cacheCapacity: Int = 1_000) throws -> TokenVerifier {
        let start = Timestamp(microseconds: TokenForge.issuedAt * 1_000_000)
        let keys = try forge.keys
        return TokenVerifier(keys: LocalKeys { keys }, cacheCapacity: cacheCapacity, now: { start })
    }

    private func code(_ token: String) async throws -> ErrorCode? {
        let verifier = try verifier()
        do {
            _ = try await verifier.verify(token)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `a signed token is verified`() async throws {
        let folder = try TemporaryFolder()
        let signer = try await TokenSigner(keyFile: folder.path + "/key.pem", lifetimeSeconds: 900)
        let verifier = TokenVerifier(keys: signer.keySource)
        let (token, expiresIn) = try await signer.sign(userID: UserID(UserID.largest), signInID: SignInID(12))
        #expect(expiresIn == 900)
        #expect(verifier.cached(token) == nil)
        let user = try await verifier.verify(token)
        #expect(user.userID == UserID(UserID.largest))
        let left = try #require(user.tokenExpiresAt).seconds - Timestamp.now.seconds
        #expect((890...900).contains(left))
        #expect(verifier.cached(token) == user)

        let parts = token.split(separator: ".")
        guard case .object(let header) = try JSONParser.parse(try #require(Base64URL.decode(parts[0]))),
            case .object(let claims) = try JSONParser.parse(try #require(Base64URL.decode(parts[1])))
        else { throw ChatError(.internalError) }
        #expect(header == ["alg": .string("EdDSA"), "typ": .string("JWT"), "kid": .string(signer.keyID)])
        #expect(Set(claims.map(\.key)) == ["sub", "sid", "iss", "aud", "iat", "exp", "jti"])
        #expect(claims["sub"] == .string("9007199254740991"))
        #expect(claims["sid"] == .string("12"))
        #expect(user.signInID == SignInID(12))
        #expect(try await signer.sign(userID: UserID(1)).token != signer.sign(userID: UserID(1)).token)
    }

    @Test(arguments: [
        (#""chat""#, ""), (#"["other","chat"]"#, ""), (#""chat""#, #","nbf":1800000000"#),
        (#""chat""#, #","nbf":1799999999.5"#),
    ])
    func `tokens with allowed claims are accepted`(aud: String, more: String) async throws {
        let user = try await verifier().verify(forge.token(claims: forge.claims(aud: aud, more: more)))
        #expect(
            user
                == AuthenticatedUser(
                    userID: UserID(7), tokenExpiresAt: Timestamp(microseconds: 1_800_000_900_000_000),
                    tokenIssuedAt: Timestamp(microseconds: 1_800_000_000_000_000)))
    }

    @Test(arguments: [(#","sid":"12""#, 12), ("", nil), (#","sid":"6e0c""#, nil), (#","sid":"012""#, nil)])
    func `the sign-in is read`(more: String, signIn: Int64?) async throws {
        let user = try await verifier().verify(forge.token(claims: forge.claims(more: more)))
        #expect(user.signInID == signIn.map { SignInID($0) })
    }

    @Test(arguments: [
        #"{"sub":"7","iss":"chat","aud":"chat"}"#, #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000000}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":1799999999}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":"1800000900"}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":null}"#, #"{"sub":"7","iss":"chat","aud":"chat","exp":-1e400}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900,"nbf":1800000001}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900,"nbf":"soon"}"#,
        #"{"sub":"7","iss":"other","aud":"chat","exp":1800000900}"#, #"{"sub":"7","aud":"chat","exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":"other","exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":[],"exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","exp":1800000900}"#, #"{"sub":7,"iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"0","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"-7","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"9223372036854775808","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"+7","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"7 ","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"07","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"7.0","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"٧","iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"7","iss":["chat"],"aud":"chat","exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":["other"],"exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":[["chat"]],"exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":{"chat":1},"exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":"Chat","exp":1800000900}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900,"nbf":1800000000.001}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900,"nbf":null}"#,
        #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900,"nbf":1e400}"#,
        #"{"sub":"7","sid":12,"iss":"chat","aud":"chat","exp":1800000900}"#,
        #"{"sub":"","iss":"chat","aud":"chat","exp":1800000900}"#, #"{"iss":"chat","aud":"chat","exp":1800000900}"#,
        "[]", "", "{",
    ])
    func `tokens with wrong claims are refused`(claims: String) async throws {
        #expect(try await code(forge.token(claims: claims)) == .invalidToken)
    }

    @Test func `a huge expiry is bounded and does not trap`() async throws {
        let user = try await verifier().verify(forge.token(claims: forge.claims(exp: "1e300")))
        #expect(user.tokenExpiresAt == Timestamp(microseconds: 253_402_300_799_000_000))
    }

    @Test func `other algorithms are refused`() async throws {
        let claims = forge.claims()
        for alg in ["none", "None", "HS256", "ES256", "eddsa", "RS256", ""] {
            #expect(try await code(forge.signed(header: forge.header(alg: alg), claims: claims)) == .invalidToken)
        }
        let unsigned = Base64URL.encode(try forge.header(alg: "none").utf8) + "." + Base64URL.encode(claims.utf8)
        #expect(try await code(unsigned + ".") == .invalidToken)
        #expect(try await code(unsigned) == .invalidToken)
    }

    /// The classic: a MAC whose key is what everybody knows, the public key.
    @Test func `HS256 with the public key is refused`() async throws {
        let input = Base64URL.encode(try forge.header(alg: "HS256").utf8) + "." + Base64URL.encode(forge.claims().utf8)
        for secret in [
            forge.key.publicKey.rawRepresentation,
            Data(EdDSA.PublicKey(backing: forge.key.publicKey).pemRepresentation.utf8),
        ] {
            let code = HMAC<SHA256>.authenticationCode(for: Data(input.utf8), using: SymmetricKey(data: secret))
            #expect(try await self.code(input + "." + Base64URL.encode(code)) == .invalidToken)
        }
    }

    @Test func `headers without a known key are refused`() async throws {
        #expect(try await code(forge.signed(header: #"{"alg":"EdDSA"}"#, claims: forge.claims())) == .invalidToken)
        #expect(
            try await code(forge.signed(header: forge.header(kid: "foreign"), claims: forge.claims())) == .invalidToken)
        #expect(
            try await code(forge.signed(header: #"{"alg":"EdDSA","kid":7}"#, claims: forge.claims())) == .invalidToken)
        let critical = try forge.header(more: #","crit":["exp"]"#)
        #expect(try await code(forge.signed(header: critical, claims: forge.claims())) == .invalidToken)
    }

    /// A text that can be read in two ways is read in none: duplicate members, bytes after the end, other alphabets.
    @Test func `a token that can be read in two ways is refused`() async throws {
        let good = try forge.token(claims: forge.claims())
        #expect(try await code(good) == nil)
        let id = try forge.keyID
        for header in [
            #"{"alg":"none","alg":"EdDSA","kid":"\#(id)"}"#, #"{"alg":"EdDSA","kid":"foreign","kid":"\#(id)"}"#,
            #"{"alg":"EdDSA","kid":"\#(id)","crit":null}"#,
            #"{"alg":"EdDSA","kid":"\#(id)","b64":false,"crit":["b64"]}"#,
            #"{"alg":["EdDSA"],"kid":"\#(id)"}"#, #"{"alg":"EdDSA","kid":["\#(id)"]}"#, #"{"alg":"EdDSA","kid":""}"#,
            #"[{"alg":"EdDSA","kid":"\#(id)"}]"#, #"{"alg":"EdDSA","kid":"\#(id)"}x"#,
            "\u{FEFF}" + (try forge.header()),
            #"{"alg":"EdDSA","kid":"\#(id)\u0000"}"#,
        ] {
            #expect(try await code(forge.signed(header: header, claims: forge.claims())) == .invalidToken, "\(header)")
        }
        for more in [#","sub":"8""#, #","exp":1900000000"#, #","iss":"chat""#, #","aud":"chat""#] {
            #expect(try await code(forge.token(claims: forge.claims(more: more))) == .invalidToken, "\(more)")
        }
        // 64 bytes leave four bits of the last character unused: here they are not zero.
        let others: [Character: Character] = ["A": "B", "Q": "R", "g": "h", "w": "x"]
        let other = try #require(good.last.flatMap { others[$0] })
        let parts = good.split(separator: ".").map(String.init)
        for text in [
            String(good.dropLast()) + String(other), good + "=", good + "==", good + " ", " " + good, good + "\n",
            good + ".", "." + good, good.replacing(".", with: ".."), parts.joined(separator: " ."),
            parts[0] + "\n." + parts[1] + "." + parts[2], good.replacing(".", with: "%2E"), good + "\u{0}",
        ] {
            #expect(try await code(text) == .invalidToken, "\(text.suffix(8))")
        }
    }

    /// A key that the token brings along, or says where to fetch, is none.
    @Test func `keys that the token brings itself are refused`() async throws {
        let stranger = TokenForge()
        let x = Base64URL.encode(stranger.key.publicKey.rawRepresentation)
        for more in [
            #","jwk":{"kty":"OKP","crv":"Ed25519","x":"\#(x)"}"#, #","jku":"http://127.0.0.1:1/jwks""#,
            #","x5u":"http://127.0.0.1:1/""#,
        ] {
            let header = try forge.header(more: more)
            #expect(try await code(stranger.signed(header: header, claims: forge.claims())) == .invalidToken)
            let itsOwn = try stranger.header(more: more)
            #expect(try await code(stranger.signed(header: itsOwn, claims: forge.claims())) == .invalidToken)
        }
    }

    /// `iat` and `jti` are for whoever reads a token; nothing is decided by them, whatever they hold.
    @Test(arguments: ["", #","iat":9900000000"#, #","iat":"x","jti":7"#])
    func `other claims and headers are ignored`(more: String) async throws {
        let token = try forge.token(claims: #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900\#(more)}"#)
        #expect(try await code(token) == nil)
    }

    @Test func `a foreign signature is refused`() async throws {
        let stranger = TokenForge()
        #expect(try await code(stranger.signed(header: forge.header(), claims: forge.claims())) == .invalidToken)
        let token = try forge.token(claims: forge.claims())
        let parts = token.split(separator: ".")
        let changed = Base64URL.encode(forge.claims(sub: #""8""#).utf8)
        #expect(try await code("\(parts[0]).\(changed).\(parts[2])") == .invalidToken)
        #expect(try await code("\(parts[0]).\(parts[1]).AAAA") == .invalidToken)
    }

    @Test(arguments: ["x", "..", "a.b.c.d", "a.b", "ä.ö.ü", "a b.c.d"])
    func `text that is not a token is refused`(text: String) async throws {
        #expect(try await code(text) == .invalidToken)
    }

    @Test func `the size is checked first`() async throws {
        let long = try forge.token(claims: forge.claims(more: #","x":"\#(String(repeating: "x", count: 4_096))""#))
        #expect(try await code(long) == .invalidToken)
        #expect(try verifier().cached(long) == nil)
        #expect(try await code("") == .missingToken)
    }

    @Test func `keys that are not known yet are no fault of the token`() async throws {
        struct NoKeys: KeySource {
            var keys: KeySet? { nil }
            func refreshedKeys() async throws(ChatError) -> KeySet { throw .unavailable("") }
        }
        let verifier = TokenVerifier(keys: NoKeys())
        let token = try forge.token(claims: forge.claims())
        await #expect {
            try await verifier.verify(token)
        } throws: { ($0 as? ChatError)?.code == .unavailable }
        #expect(!verifier.isReady)
    }
}
