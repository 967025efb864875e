import CommonUtil
import FoundationEssentials
import HTTPTypes
import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(2))) struct IssuerDirectoryTests {
    private static let now = Timestamp(microseconds: 1_800_000_000_000_000)
    private static var seconds: Int64 { now.seconds }

    /// A directory with one issuer, and the URL of that.
    private func withDirectory(
        _ issuer: TestIssuer, file more: String = "",
        _ body: @escaping @Sendable (IssuerDirectory, String) async throws -> Void
    ) async throws {
        try await issuer.run { url in
            let folder = try TemporaryFolder()
            let file = try folder.write(
                #"[{"issuer":"\#(url)","audience":["us","them"],"jwksURL":"\#(url)/jwks"\#(more)}]"#, to: "issuers.json"
            )
            let directory = try IssuerDirectory(file: file)
            try await body(directory, url)
            await directory.shutDown()
            _ = folder
        }
    }

    private static func claims(
        _ issuer: String, _ changes: [String: String?] = [:]
    ) -> String {
        var members: [String: String?] = [
            "iss": "\"\(issuer)\"", "aud": "\"us\"", "sub": "\"ann\"", "name": "\"Ann\"", "exp": "\(seconds + 60)",
            "iat": "\(seconds)",
        ]
        for (name, value) in changes { members[name] = value }
        return "{" + members.compactMap { name, value in value.map { "\"\(name)\":\($0)" } }.joined(separator: ",")
            + "}"
    }

    private func code(_ directory: IssuerDirectory, _ token: String) async -> ErrorCode? {
        do {
            _ = try await directory.identity(token, at: Self.now)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(arguments: TestIssuer.Algorithm.allCases)
    func `a token of each algorithm names a user`(algorithm: TestIssuer.Algorithm) async throws {
        let issuer = TestIssuer()
        try await withDirectory(issuer, file: #","prefix":"crm-""#) { directory, url in
            let token = try await issuer.token(algorithm, claims: Self.claims(url))
            let identity = try await directory.identity(token, at: Self.now)
            #expect(identity.externalID.rawValue == "crm-ann" && identity.name == "Ann")
            #expect(identity.issuedAt == Self.now)
            for claims in [
                ["aud": "[\"x\",\"them\"]"], ["sub": "42"], ["sub": "-42"], ["iat": nil, "name": nil],
                ["exp": "\(Self.seconds - 59)"], ["nbf": "\(Self.seconds + 60)"], ["iat": "\(Self.seconds + 60)"],
            ] as [[String: String?]] {
                let token = try await issuer.token(algorithm, claims: Self.claims(url, claims))
                #expect(await code(directory, token) == nil, "\(claims)")
            }
            let number = try await issuer.token(algorithm, claims: Self.claims(url, ["sub": "12345678901234567890"]))
            #expect(
                try await directory.identity(number, at: Self.now).externalID.rawValue == "crm-12345678901234567890")
        }
    }

    @Test(arguments: TestIssuer.Algorithm.allCases)
    func `every forgery is refused`(algorithm: TestIssuer.Algorithm) async throws {
        let (issuer, other) = (TestIssuer(), TestIssuer())
        try await withDirectory(issuer) { directory, url in
            let name = algorithm.rawValue
            let good = try await issuer.token(algorithm, claims: Self.claims(url))
            #expect(await code(directory, good) == nil)
            let parts = good.split(separator: ".").map(String.init)
            var forgeries: [String: String] = [:]
            // Claims.
            let claims: [String: [String: String?]] = [
                "another issuer": ["iss": "\"https://example.org\""], "no issuer": ["iss": nil],
                "issuer in a list": ["iss": "[\"\(url)\"]"], "another audience": ["aud": "\"you\""],
                "no audience": ["aud": nil], "empty audience": ["aud": "[]"],
                "expired": ["exp": "\(Self.seconds - 60)"],
                "no expiry": ["exp": nil], "expiry as a text": ["exp": "\"\(Self.seconds + 60)\""],
                "not valid yet": ["nbf": "\(Self.seconds + 61)"], "issued later": ["iat": "\(Self.seconds + 61)"],
                "no user": ["sub": nil], "empty user": ["sub": "\"\""], "user as a list": ["sub": "[\"ann\"]"],
                "user as a fraction": ["sub": "1.5"], "user with NUL": ["sub": "\"a\\u0000\""],
                "too long a user": ["sub": "\"\(String(repeating: "x", count: 129))\""],
            ]
            for (forgery, changes) in claims {
                forgeries[forgery] = try await issuer.token(algorithm, claims: Self.claims(url, changes))
            }
            // Headers.
            let headers = [
                "critical extension": #"{"alg":"\#(name)","kid":"\#(name)","crit":["exp"]}"#,
                "algorithm of another key": #"{"alg":"\#(name)","kid":"nobody"}"#,
                "algorithm in small letters": #"{"alg":"\#(name.lowercased())","kid":"\#(name)"}"#,
                "no algorithm": #"{"kid":"\#(name)"}"#,
                "algorithm twice": #"{"alg":"none","alg":"\#(name)","kid":"\#(name)"}"#,
                "kid as a number": #"{"alg":"\#(name)","kid":1}"#,
            ]
            for (forgery, header) in headers {
                forgeries[forgery] = try await issuer.token(algorithm, header: header, claims: Self.claims(url))
            }
            // Keys that the token itself brings are not looked at.
            let own = #"{"alg":"EdDSA","kid":"EdDSA","jwk":\#(other.jwk(.eddsa)),"jku":"\#(url)/jwks","x5u":"\#(url)"}"#
            forgeries["own key"] = try await other.token(.eddsa, header: own, claims: Self.claims(url))
            forgeries["another's signature"] = try await other.token(.es256, claims: Self.claims(url))
            // Texts.
            forgeries["no signature"] = "\(parts[0]).\(parts[1])."
            forgeries["two parts"] = "\(parts[0]).\(parts[1])"
            forgeries["four parts"] = good + ".x"
            forgeries["padding"] = good + "="
            forgeries["changed claims"] =
                "\(parts[0]).\(Base64URL.encode(Self.claims(url, ["sub": "\"bob\""]).utf8)).\(parts[2])"
            forgeries["alg none"] =
                "\(Base64URL.encode(#"{"alg":"none"}"#.utf8)).\(parts[1])."
            forgeries["alg of a secret"] =
                "\(Base64URL.encode(#"{"alg":"HS256","kid":"\#(name)"}"#.utf8)).\(parts[1]).\(parts[2])"
            forgeries["too long"] = try await issuer.token(
                algorithm, claims: Self.claims(url, ["x": "\"\(String(repeating: "x", count: 16_384))\""]))
            forgeries["nothing"] = ""
            for (forgery, token) in forgeries {
                let code = await code(directory, token)
                // What an unknown key has signed is refused once the keys have been fetched again.
                #expect(
                    code == .invalidToken || forgery == "algorithm of another key",
                    "\(forgery): \(code?.rawValue ?? "taken")")
                #expect(code != nil, "\(forgery)")
            }
            #expect(await code(directory, good) == nil)
        }
    }

    @Test func `keys that are weak, for other uses or for another algorithm are passed over`() async throws {
        let issuer = TestIssuer()
        try await withDirectory(issuer) { directory, url in
            let bad = [
                TestIssuer.weakKey, issuer.jwk(.eddsa, more: #","use":"enc""#),
                issuer.jwk(.es256, more: #","alg":"ES384""#),
                issuer.jwk(.eddsa, more: #","key_ops":["sign"]"#), issuer.jwk(.eddsa, more: #","kid":7"#), "7",
                #"{"kty":"EC","crv":"P-384","kid":"ES256","x":"AA","y":"AA"}"#,
                #"{"kty":"oct","k":"AA","kid":"EdDSA"}"#,
            ]
            issuer.serve(bad)
            for algorithm in TestIssuer.Algorithm.allCases {
                let token = try await issuer.token(algorithm, claims: Self.claims(url))
                #expect(await code(directory, token) != nil)
            }
            #expect(
                await IssuerKeySet(jwks: Array(#"{"keys":[\#(bad.joined(separator: ","))]}"#.utf8))?.keys.isEmpty
                    == true)
        }
    }

    @Test func `a token without kid is good only where one key fits`() async throws {
        let issuer = TestIssuer()
        let header = #"{"alg":"EdDSA"}"#
        try await withDirectory(issuer) { directory, url in
            let token = try await issuer.token(.eddsa, header: header, claims: Self.claims(url))
            #expect(await code(directory, token) == nil)
        }
        issuer.serve([issuer.jwk(.eddsa), TestIssuer().jwk(.eddsa, kid: "second")])
        try await withDirectory(issuer) { directory, url in
            let token = try await issuer.token(.eddsa, header: header, claims: Self.claims(url))
            #expect(await code(directory, token) == .invalidToken)
        }
    }

    @Test func `an unknown key is looked for once a minute, and what one fetch lacks is refused`() async throws {
        let issuer = TestIssuer()
        try await withDirectory(issuer) { directory, url in
            func token(_ kid: String) async throws -> String {
                try await issuer.token(
                    .eddsa, header: #"{"alg":"EdDSA","kid":"\#(kid)"}"#, claims: Self.claims(url))
            }
            let (known, new) = (try await token("EdDSA"), try await token("new"))
            #expect(await code(directory, known) == nil)
            let requests = issuer.requests
            // The first fetch was for this minute's unknown key: the keys were not known at all.
            #expect(await code(directory, new) == .issuerUnavailable)
            #expect(issuer.requests == requests)
            #expect(await code(directory, known) == nil)
        }
    }

    @Test func `an issuer that is down or serves nonsense is unavailable`() async throws {
        for change in [
            { $0.status = .internalServerError }, { $0.jwks = "<html>" }, { $0.jwks = #"{"keys":7}"# },
            {
                $0.status = .found; $0.location = "/jwks2"
            }, { $0.jwks = String(repeating: " ", count: 1_048_577) },
        ] as [@Sendable (inout TestIssuer.State) -> Void] {
            let issuer = TestIssuer()
            issuer.change(change)
            try await withDirectory(issuer) { directory, url in
                let token = try await issuer.token(.eddsa, claims: Self.claims(url))
                #expect(await code(directory, token) == .issuerUnavailable)
            }
        }
    }

    @Test func `discovery must name the same issuer and an https or loopback URL`() async throws {
        for (discovery, isRight) in [
            (nil, true), (#"{"issuer":"https://example.org","jwks_uri":"URL/jwks"}"#, false),
            (#"{"issuer":"URL","jwks_uri":"http://example.org/jwks"}"#, false), (#"{"issuer":"URL"}"#, false),
            ("x", false),
        ] as [(String?, Bool)] {
            let issuer = TestIssuer()
            try await issuer.run { url in
                issuer.change { $0.discovery = discovery?.replacing("URL", with: url) }
                let folder = try TemporaryFolder()
                let directory = try IssuerDirectory(
                    file: try folder.write(#"[{"issuer":"\#(url)","audience":"us"}]"#, to: "issuers.json"))
                let token = try await issuer.token(.eddsa, claims: Self.claims(url))
                #expect(await code(directory, token) == (isRight ? nil : .issuerUnavailable), "\(discovery ?? "")")
                await directory.shutDown()
            }
        }
    }

    @Test func `an address counts as a user only where it is verified`() async throws {
        let issuer = TestIssuer()
        try await withDirectory(issuer, file: #","userClaim":"email""#) { directory, url in
            for (verified, isRight) in [("true", true), ("false", false), ("\"true\"", false), (nil, false)]
                as [(String?, Bool)]
            {
                let claims = Self.claims(url, ["email": "\"a@b.c\"", "email_verified": verified])
                let token = try await issuer.token(.eddsa, claims: claims)
                #expect(await code(directory, token) == (isRight ? nil : .invalidToken), "\(verified ?? "absent")")
            }
        }
    }

    // MARK: The file

    @Test func `a wrong file is refused at start, and later the former one stays`() async throws {
        let folder = try TemporaryFolder()
        let good = #"[{"issuer":"https://a.example","audience":"us"}]"#
        let path = try folder.write(good, to: "issuers.json")
        let directory = try IssuerDirectory(file: path)
        #expect(directory.contains("https://a.example"))
        for wrong in ["", "{}", "[{}]", #"[{"issuer":"https://a.example"}]"#] {
            _ = try folder.write(wrong, to: "issuers.json")
            #expect(throws: ConfigurationError.self) { try IssuerDirectory(file: path) }
            directory.reread()
            #expect(directory.problem != nil && directory.contains("https://a.example"))
        }
        _ = try folder.write(good, to: "issuers.json")
        directory.reread()
        #expect(directory.problem == nil)
        // Another file in its place.
        let next = try folder.write(good.replacing("a.example", with: "b.example"), to: "next.json")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: next, toPath: path)
        directory.reread()
        #expect(directory.contains("https://b.example") && !directory.contains("https://a.example"))
        try FileManager.default.removeItem(atPath: path)
        directory.reread()
        #expect(directory.problem != nil && directory.contains("https://b.example"))
        #expect(throws: ConfigurationError.self) { try IssuerDirectory(file: path) }
        #expect(try IssuerDirectory(file: nil).problem == nil)
    }

    @Test func `a list says what is wrong with it`() throws {
        func entry(_ more: String) -> String { #"{"issuer":"https://a.example","audience":"us"\#(more)}"# }
        let other = #"{"issuer":"https://b.example","audience":"us","prefix":"b-"}"#
        for wrong in [
            entry(#","algorithms":["HS256"]"#), entry(#","algorithms":[]"#),
            entry(#","jwksURL":"http://a.example/jwks""#),
            entry(#","jwksURL":"ftp://a.example""#), entry(#","jwksURL":"https://u:p@a.example/""#),
            entry(#","audiences":"us""#), entry(#","refresh":"no""#), entry(#","userClaim":"""#),
            #"{"issuer":"https://a.example","audience":[]}"#, #"{"issuer":"http://a.example","audience":"us"}"#,
            entry("") + "," + entry(#","prefix":"a-""#), entry("") + "," + other,
            entry(#","prefix":"b-1""#) + "," + other,
            entry(#","prefix":"b""#) + "," + other,
        ] {
            #expect(throws: IssuerList.Invalid.self, "\(wrong)") { try IssuerList(json: Array("[\(wrong)]".utf8)) }
        }
        let list = try IssuerList(json: Array("[\(entry(#","prefix":"a-""#)),\(other)]".utf8))
        #expect(list.issuers.map(\.prefix) == ["a-", "b-"])
        #expect(
            list.issuers[0].algorithms.count == 3 && list.issuers[0].userClaim == "sub" && list.issuers[0].allowsRefresh
        )
        #expect(try IssuerList(json: Array("[]".utf8)).issuers.isEmpty)
        #expect(throws: Never.self) {
            try IssuerList(json: Array(#"[{"issuer":"http://127.0.0.1:1","audience":"us"}]"#.utf8))
        }
    }

    // MARK: When keys are fetched

    @Test func `keys last a day without a fetch, and end with the fetch that lacks them`() async throws {
        let issuer = TestIssuer()
        let start = ContinuousClock.now
        func keySet(_ keys: [String]) async -> IssuerKeySet? {
            await IssuerKeySet(jwks: Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8))
        }
        func answer(
            _ lookup: inout IssuerKeyLookup, _ kid: String, _ algorithm: Issuer.Algorithm = .eddsa, at time: Duration
        ) -> String {
            switch lookup.keys(for: algorithm, keyID: kid, asked: start + time, at: start + time) {
            case .keys: "keys"
            case .unknown: "unknown"
            case .fetch: "fetch"
            case .unavailable: "unavailable"
            }
        }
        var lookup = IssuerKeyLookup()
        #expect(lookup.isDue(at: start))
        #expect(answer(&lookup, "EdDSA", at: .zero) == "fetch")
        lookup.begin(at: start)
        lookup.end(await keySet([issuer.jwk(.eddsa)]), begun: start)
        #expect(!lookup.isDue(at: start + .seconds(599)) && lookup.isDue(at: start + .seconds(600)))
        #expect(answer(&lookup, "EdDSA", at: .seconds(86_399)) == "keys")
        // A key that is there and is for another algorithm needs no fetch.
        #expect(answer(&lookup, "EdDSA", .es256, at: .seconds(5)) == "unknown")
        // A failed fetch changes nothing, and is repeated sooner.
        lookup.begin(at: start + .seconds(600))
        lookup.end(nil, begun: start + .seconds(600))
        #expect(lookup.isDue(at: start + .seconds(630)) && !lookup.isDue(at: start + .seconds(629)))
        #expect(answer(&lookup, "EdDSA", at: .seconds(86_400)) == "fetch")
        #expect(answer(&lookup, "EdDSA", at: .seconds(86_401)) == "unavailable")
        lookup.end(await keySet([]), begun: start + .seconds(86_402))
        #expect(answer(&lookup, "EdDSA", at: .seconds(86_402)) == "unknown")
        #expect(answer(&lookup, "EdDSA", at: .seconds(86_403)) == "unknown")
        #expect(answer(&lookup, "another", at: .seconds(86_403)) == "unavailable")
        #expect(answer(&lookup, "another", at: .seconds(86_460)) == "fetch")
    }
}
