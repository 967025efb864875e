import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AccountTests {
    private static func account(_ username: String, _ password: String = SharedStack.password) -> JSON {
        ["username": .string(username), "password": .string(password)]
    }

    @Test func `a user registers, logs in, and reads and changes the profile`() async throws {
        let stack = try await SharedStack.running()
        let username = Unique.name("anna")
        let registered = try await stack.system.post(
            "/api/v1/auth/register",
            ["username": .string(username.uppercased()), "password": "correct horse", "displayName": "Änna"])
        #expect(registered.status == 201)
        #expect(registered.json.keys == ["userId", "username", "displayName", "createdAt"])
        #expect(registered.json["username"] == .string(username))
        #expect(registered.json["displayName"] == "Änna")

        let login = try await stack.system.post("/api/v1/auth/login", Self.account(username, "correct horse"))
        #expect(login.status == 200)
        #expect(login.json.keys == ["accessToken", "refreshToken", "tokenType", "expiresIn", "userId"])
        #expect(login.json["tokenType"] == "Bearer")
        #expect(login.json["expiresIn"] == 900)
        #expect(login.json["userId"] == registered.json["userId"])

        let me = Credentials.token(login.json["accessToken"]?.string ?? "")
        /// What everyone sees of one's own profile.
        func shared(_ profile: JSON) -> JSON {
            guard case .object(var members) = profile else { return profile }
            #expect(members.removeValue(forKey: "whoMayAdd") == "everyone")
            return .object(members)
        }
        #expect(shared(try await stack.system.get("/api/v1/users/me", as: me).json) == registered.json)
        let renamed = try await stack.system.send(.patch, "/api/v1/users/me", ["displayName": "Bob"], as: me)
        #expect(renamed.status == 200)
        #expect(renamed.json["displayName"] == "Bob")
        let userID = registered.json["userId"]?.int ?? 0
        #expect(try await stack.system.get("/api/v1/users/\(userID)", as: me).json == shared(renamed.json))
        let found = try await stack.system.get("/api/v1/users?query=\(username)", as: me)
        #expect(found.json["items"] == [shared(renamed.json)])

        let empty = try await stack.system.send(.patch, "/api/v1/users/me", [:], as: me)
        #expect(empty.status == 422)
        #expect(empty.fields == ["displayName"])
    }

    @Test func `a name is taken once, in whatever case`() async throws {
        let stack = try await SharedStack.running()
        let username = Unique.name("anna")
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for name in [username, username.uppercased(), username.replacing("anna", with: "Anna")] {
                group.addTask { try await stack.system.post("/api/v1/auth/register", Self.account(name)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.map(\.status).sorted() == [201, 409, 409])
        #expect(answers.filter { $0.status == 409 }.allSatisfy { $0.code == "username_taken" })
    }

    @Test func `a wrong password and an unknown user get the same response`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let wrong = try await stack.system.post("/api/v1/auth/login", Self.account(user.username, "wrong horse"))
        let unknown = try await stack.system.post("/api/v1/auth/login", Self.account(Unique.name("nobody")))
        for answer in [wrong, unknown] {
            #expect(answer.status == 401)
            #expect(answer.code == "invalid_credentials")
        }
        #expect(wrong.json.without("traceId") == unknown.json.without("traceId"))
    }

    // MARK: Refreshing

    @Test func `a refresh token works once, and within half a minute gives the same next one again`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        func refresh(_ token: String) async throws -> RESTResponse {
            try await stack.system.post("/api/v1/auth/refresh", ["refreshToken": .string(token)])
        }
        let second = try await refresh(user.refreshToken)
        #expect(second.status == 200)
        #expect(second.json.keys == ["accessToken", "refreshToken", "tokenType", "expiresIn", "userId"])
        #expect(second.json["userId"] == .integer(user.userID))
        let secondToken = second.json["refreshToken"]?.string ?? ""
        #expect(secondToken != user.refreshToken)
        let access = Credentials.token(second.json["accessToken"]?.string ?? "")
        #expect(try await stack.system.get("/api/v1/users/me", as: access).status == 200)
        let third = try await refresh(secondToken)
        #expect(third.status == 200)

        // Also where the next one was used already. `SignInEndTests` shows what comes of it later.
        for (token, next) in [(user.refreshToken, second), (secondToken, third), (user.refreshToken, second)] {
            let again = try await refresh(token)
            #expect(again.status == 200)
            #expect(again.json["refreshToken"] == next.json["refreshToken"])
            let access = Credentials.token(again.json["accessToken"]?.string ?? "")
            #expect(try await stack.system.get("/api/v1/users/me", as: access).status == 200)
        }
        let fourth = try await refresh(third.json["refreshToken"]?.string ?? "")
        #expect(fourth.status == 200)
        let former = [user.refreshToken, secondToken, third.json["refreshToken"]?.string]
        #expect(!former.contains(fourth.json["refreshToken"]?.string))
    }

    @Test func `parallel uses of one refresh token all get the same next one`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    try await stack.system.post(
                        "/api/v1/auth/refresh", ["refreshToken": .string(user.refreshToken)])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.map(\.status) == Array(repeating: 200, count: 10))
        #expect(Set(answers.map { $0.json["refreshToken"]?.string }).count == 1)
    }

    @Test func `a logout ends the family, and reveals nothing about unknown tokens`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        for token in [user.refreshToken, user.refreshToken, "nonsense"] {
            let out = try await stack.system.post("/api/v1/auth/logout", ["refreshToken": .string(token)])
            #expect(out.status == 204)
            #expect(out.bytes.isEmpty)
        }
        let refreshed = try await stack.system.post(
            "/api/v1/auth/refresh", ["refreshToken": .string(user.refreshToken)])
        #expect(refreshed.status == 401)
    }

    // MARK: Access tokens

    @Test func `the public keys are Ed25519 JWKs without private members`() async throws {
        let stack = try await SharedStack.running()
        let answer = try await stack.system.get("/.well-known/jwks.json")
        #expect(answer.status == 200)
        let keys = try #require(answer.json["keys"]?.array)
        #expect(!keys.isEmpty)
        for key in keys {
            #expect(key.keys == ["kty", "crv", "use", "alg", "kid", "x"])
            #expect(key["kty"] == "OKP")
            #expect(key["use"] == "sig")
            #expect(key["alg"] == "EdDSA")
            #expect(key["crv"] == "Ed25519")
            #expect(key["kid"]?.string?.isEmpty == false)
            #expect(key["x"]?.string?.count == 43)
        }
    }

    @Test func `an access token has the contract's header and claims`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let parts = (user.token ?? "").split(separator: ".").map { Base64URL.decode($0) }
        #expect(parts.count == 3)
        let (header, claims) = (try JSON(parsing: parts[0]), try JSON(parsing: parts[1]))
        #expect(header["alg"] == "EdDSA")
        let keys = try await stack.system.get("/.well-known/jwks.json").json["keys"]?.array ?? []
        #expect(keys.contains { $0["kid"] == header["kid"] })
        #expect(claims.keys.isSuperset(of: ["sub", "sid", "iss", "aud", "iat", "exp", "jti"]))
        #expect(claims["sub"] == .string(String(user.userID)))
        #expect(claims["iss"] == "chat")
        #expect(claims["aud"] == "chat")
        let login = try await stack.system.post("/api/v1/auth/login", Self.account(user.username)).json
        let second = (login["accessToken"]?.string ?? "").split(separator: ".").map { Base64URL.decode($0) }
        #expect(claims["jti"]?.string?.isEmpty == false)
        #expect(try JSON(parsing: second[1])["jti"] != claims["jti"])
        let signIn = try #require(claims["sid"]?.string)
        #expect(try JSON(parsing: second[1])["sid"] != .string(signIn))
        let refreshed = try await stack.system.post(
            "/api/v1/auth/refresh", ["refreshToken": .string(user.refreshToken)]
        ).json["accessToken"]?.string?.split(separator: ".").map { Base64URL.decode($0) }
        #expect(try JSON(parsing: #require(refreshed)[1])["sid"] == .string(signIn))
        let (issued, expires) = (try #require(claims["iat"]?.int), try #require(claims["exp"]?.int))
        #expect(expires - issued == 900)
    }

    @Test func `calls without a valid token are 401, on both REST servers`() async throws {
        let (stack, trusted) = (try await SharedStack.running(), try await SharedStack.running(.trusted))
        let user = try await stack.user()
        let token = try #require(user.token)
        let parts = token.split(separator: ".")
        let payload = String(decoding: Base64URL.decode(parts[1]), as: UTF8.self)
        let otherUser = Base64URL.encode(payload.replacing("\"sub\":\"\(user.userID)\"", with: "\"sub\":\"1\""))
        #expect(otherUser != parts[1])

        // Signed well, but with the key of another system.
        let account = Self.account(Unique.name("other"))
        try await trusted.system.post("/api/v1/auth/register", account).require(201, "register")
        let foreign = try await trusted.system.post("/api/v1/auth/login", account).require(200, "login")

        let attempts: [(String, [(String, String)])] = [
            ("missing_token", []),
            ("missing_token", [("X-User-Id", "1")]),
            ("invalid_token", [("Authorization", "Bearer")]),
            ("invalid_token", [("Authorization", "Bearer nonsense")]),
            ("invalid_token", [("Authorization", "Basic \(token)")]),
            ("invalid_token", [("Authorization", "Bearer \(parts[0]).\(otherUser).\(parts[2])")]),
            ("invalid_token", [("Authorization", "Bearer \(parts[0]).\(parts[1]).")]),
            (
                "invalid_token",
                [("Authorization", "Bearer \(Base64URL.encode(#"{"alg":"none","typ":"JWT"}"#)).\(parts[1]).")]
            ),
            ("invalid_token", [("Authorization", "Bearer \(foreign.json["accessToken"]?.string ?? "")")]),
        ]
        for (code, headers) in attempts {
            for answer in [
                try await stack.system.get("/api/v1/users/me", headers: headers),
                try await stack.messages().get("/api/v1/messages/1", headers: headers),
            ] {
                #expect(answer.status == 401, "\(headers)")
                #expect([code, "missing_token", "invalid_token"].contains(answer.code))
                #expect(answer.header("WWW-Authenticate")?.hasPrefix("Bearer") == true)
                #expect(answer.header("Content-Type") == "application/problem+json")
            }
        }
        #expect(try await stack.system.get("/api/v1/users/me").code == "missing_token")
        #expect(
            try await stack.system.get("/api/v1/users/me", as: .token("a.b.c")).code == "invalid_token")
    }
}
