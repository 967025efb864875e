import CommonUtil
import Crypto
import FoundationEssentials
import HTTPTypes
import JWTKit
import Synchronization
import Testing

@testable import CommonAuth

/// Makes tokens of any content, signed rightly or not.
private struct Forge {
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
}

@Suite(.timeLimit(.minutes(2))) struct TokenTests {
    private let forge = Forge()
    private static let now: Int64 = 1_800_000_000

    private func verifier(cacheCapacity: Int = 1_000) throws -> TokenVerifier {
        let start = Timestamp(microseconds: Self.now * 1_000_000)
        let keys = try forge.keys
        return TokenVerifier(keys: LocalKeys { keys }, cacheCapacity: cacheCapacity, now: { start })
    }

    private func claims(
        sub: String = #""7""#, iss: String = #""chat""#, aud: String = #""chat""#, exp: String? = "1800000900",
        more: String = ""
    ) -> String {
        #"{"sub":\#(sub),"iss":\#(iss),"aud":\#(aud),"iat":1800000000\#(exp.map { #","exp":\#($0)"# } ?? "")\#(more)}"#
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
        let user = try await verifier().verify(forge.token(claims: claims(aud: aud, more: more)))
        #expect(
            user
                == AuthenticatedUser(
                    userID: UserID(7), tokenExpiresAt: Timestamp(microseconds: 1_800_000_900_000_000),
                    tokenIssuedAt: Timestamp(microseconds: 1_800_000_000_000_000)))
    }

    @Test(arguments: [(#","sid":"12""#, 12), ("", nil), (#","sid":"6e0c""#, nil), (#","sid":"012""#, nil)])
    func `the sign-in is read`(more: String, signIn: Int64?) async throws {
        let user = try await verifier().verify(forge.token(claims: claims(more: more)))
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
        let user = try await verifier().verify(forge.token(claims: claims(exp: "1e300")))
        #expect(user.tokenExpiresAt == Timestamp(microseconds: 253_402_300_799_000_000))
    }

    @Test func `other algorithms are refused`() async throws {
        let claims = claims()
        for alg in ["none", "None", "HS256", "ES256", "eddsa", "RS256", ""] {
            #expect(try await code(forge.signed(header: forge.header(alg: alg), claims: claims)) == .invalidToken)
        }
        let unsigned = Base64URL.encode(try forge.header(alg: "none").utf8) + "." + Base64URL.encode(claims.utf8)
        #expect(try await code(unsigned + ".") == .invalidToken)
        #expect(try await code(unsigned) == .invalidToken)
    }

    /// The classic: a MAC whose key is what everybody knows, the public key.
    @Test func `HS256 with the public key is refused`() async throws {
        let input = Base64URL.encode(try forge.header(alg: "HS256").utf8) + "." + Base64URL.encode(claims().utf8)
        for secret in [
            forge.key.publicKey.rawRepresentation,
            Data(EdDSA.PublicKey(backing: forge.key.publicKey).pemRepresentation.utf8),
        ] {
            let code = HMAC<SHA256>.authenticationCode(for: Data(input.utf8), using: SymmetricKey(data: secret))
            #expect(try await self.code(input + "." + Base64URL.encode(code)) == .invalidToken)
        }
    }

    @Test func `headers without a known key are refused`() async throws {
        #expect(try await code(forge.signed(header: #"{"alg":"EdDSA"}"#, claims: claims())) == .invalidToken)
        #expect(try await code(forge.signed(header: forge.header(kid: "foreign"), claims: claims())) == .invalidToken)
        #expect(try await code(forge.signed(header: #"{"alg":"EdDSA","kid":7}"#, claims: claims())) == .invalidToken)
        let critical = try forge.header(more: #","crit":["exp"]"#)
        #expect(try await code(forge.signed(header: critical, claims: claims())) == .invalidToken)
    }

    /// A text that can be read in two ways is read in none: duplicate members, bytes after the end, other alphabets.
    @Test func `a token that can be read in two ways is refused`() async throws {
        let good = try forge.token(claims: claims())
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
            #expect(try await code(forge.signed(header: header, claims: claims())) == .invalidToken, "\(header)")
        }
        for more in [#","sub":"8""#, #","exp":1900000000"#, #","iss":"chat""#, #","aud":"chat""#] {
            #expect(try await code(forge.token(claims: claims(more: more))) == .invalidToken, "\(more)")
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
        let stranger = Forge()
        let x = Base64URL.encode(stranger.key.publicKey.rawRepresentation)
        for more in [
            #","jwk":{"kty":"OKP","crv":"Ed25519","x":"\#(x)"}"#, #","jku":"http://127.0.0.1:1/jwks""#,
            #","x5u":"http://127.0.0.1:1/""#,
        ] {
            let header = try forge.header(more: more)
            #expect(try await code(stranger.signed(header: header, claims: claims())) == .invalidToken)
            let itsOwn = try stranger.header(more: more)
            #expect(try await code(stranger.signed(header: itsOwn, claims: claims())) == .invalidToken)
        }
    }

    /// `iat` and `jti` are for whoever reads a token; nothing is decided by them, whatever they hold.
    @Test(arguments: ["", #","iat":9900000000"#, #","iat":"x","jti":7"#])
    func `other claims and headers are ignored`(more: String) async throws {
        let token = try forge.token(claims: #"{"sub":"7","iss":"chat","aud":"chat","exp":1800000900\#(more)}"#)
        #expect(try await code(token) == nil)
    }

    @Test func `a foreign signature is refused`() async throws {
        let stranger = Forge()
        #expect(try await code(stranger.signed(header: forge.header(), claims: claims())) == .invalidToken)
        let token = try forge.token(claims: claims())
        let parts = token.split(separator: ".")
        let changed = Base64URL.encode(claims(sub: #""8""#).utf8)
        #expect(try await code("\(parts[0]).\(changed).\(parts[2])") == .invalidToken)
        #expect(try await code("\(parts[0]).\(parts[1]).AAAA") == .invalidToken)
    }

    @Test(arguments: ["x", "..", "a.b.c.d", "a.b", "ä.ö.ü", "a b.c.d"])
    func `text that is not a token is refused`(text: String) async throws {
        #expect(try await code(text) == .invalidToken)
    }

    @Test func `the size is checked first`() async throws {
        let long = try forge.token(claims: claims(more: #","x":"\#(String(repeating: "x", count: 4_096))""#))
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
        let token = try forge.token(claims: claims())
        await #expect {
            try await verifier.verify(token)
        } throws: { ($0 as? ChatError)?.code == .unavailable }
        #expect(!verifier.isReady)
    }

    // MARK: The cache

    /// A clock and keys that tests move.
    private final class World: KeySource {
        private let state: Mutex<(now: Timestamp, keys: KeySet?)>
        init(_ keys: KeySet) { state = Mutex((Timestamp(microseconds: TokenTests.now * 1_000_000), keys)) }
        var now: Timestamp {
            get { state.withLock { $0.now } }
            set { state.withLock { $0.now = newValue } }
        }
        var keys: KeySet? { state.withLock { $0.keys } }
        func set(_ keys: KeySet) { state.withLock { $0.keys = keys } }
        func refreshedKeys() async throws(ChatError) -> KeySet { keys ?? KeySet([]) }
    }

    @Test func `a cached token ends with its expiry`() async throws {
        let world = World(try forge.keys)
        let verifier = TokenVerifier(keys: world, now: { world.now })
        let token = try forge.token(claims: claims())
        _ = try await verifier.verify(token)
        world.now = Timestamp(microseconds: 1_800_000_899_999_999)
        #expect(verifier.cached(token) != nil)
        world.now = Timestamp(microseconds: 1_800_000_900_000_000)
        #expect(verifier.cached(token) == nil)
        await #expect(throws: ChatError.self) { try await verifier.verify(token) }
    }

    @Test func `a cached token ends with its sign-in`() async throws {
        let (world, list) = (World(try forge.keys), RevocationList(now: { Timestamp(microseconds: 0) }))
        let verifier = TokenVerifier(keys: world, revocations: list, now: { world.now })
        let (token, other) = (
            try forge.token(claims: claims(more: #","sid":"12""#)),
            try forge.token(claims: claims(more: #","sid":"13""#))
        )
        let user = try await verifier.verify(token)
        _ = try await verifier.verify(other)
        #expect(verifier.cached(token) == user && !verifier.isRevoked(user))
        _ = list.insert([
            Revocation(userID: user.userID, scope: .signIn(SignInID(12)), expiresAt: Timestamp(microseconds: 1))
        ])
        #expect(verifier.cached(token) == nil && verifier.isRevoked(user))
        await #expect {
            try await verifier.verify(token)
        } throws: { ($0 as? ChatError)?.code == .invalidToken }
        #expect(verifier.cached(other) != nil)
    }

    @Test func `a cached token ends with its key`() async throws {
        let world = World(try forge.keys)
        let verifier = TokenVerifier(keys: world, now: { world.now })
        let token = try forge.token(claims: claims())
        _ = try await verifier.verify(token)
        world.set(try Forge().keys)
        #expect(verifier.cached(token) == nil)
        await #expect(throws: ChatError.self) { try await verifier.verify(token) }
    }

    @Test func `the cache is bounded`() {
        let cache = VerifiedTokenCache(capacity: 320)
        let user = AuthenticatedUser(userID: UserID(1), tokenExpiresAt: nil)
        let kept = TokenDigest("kept")
        for index in 0..<10_000 {
            cache.insert(TokenDigest("token \(index)"), VerifiedToken(user: user, keyID: "k"))
            if index == 0 { cache.insert(kept, VerifiedToken(user: user, keyID: "k")) }
            // What is in use stays.
            #expect(cache[kept] != nil)
        }
        #expect(cache.count <= 320 && cache.count >= 160)
    }

    // MARK: Refresh tokens

    @Test func `the next refresh token is made of the one before and its salt`() throws {
        let (token, salt) = (RefreshToken(), RefreshToken.makeSalt())
        let next = token.successor(salt: salt)
        #expect(next.text == token.successor(salt: salt).text)
        #expect(RefreshToken(text: next.text)?.hash == next.hash)
        let others = [
            token.text, token.successor(salt: RefreshToken.makeSalt()).text, RefreshToken().successor(salt: salt).text,
            next.successor(salt: salt).text,
        ]
        #expect(!others.contains(next.text))
    }

    @Test func `refresh tokens are random and recognised`() throws {
        let token = RefreshToken()
        #expect(token.text.utf8.count == 43 && token.hash.count == 32)
        #expect(try #require(RefreshToken(text: token.text)).hash == token.hash)
        #expect(RefreshToken().text != token.text)
        for wrong in ["", "x", token.text + "A", String(token.text.dropLast()), String(token.text.dropLast()) + "="] {
            #expect(RefreshToken(text: wrong) == nil)
        }
    }
}
