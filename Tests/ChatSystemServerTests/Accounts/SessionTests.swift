import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct SessionTests {
    private func list(_ stack: SharedStack, _ user: TestUser) async throws -> [JSON] {
        try await stack.system.get("/api/v1/sessions", as: user.credentials).require(200, "sessions").json["items"]?
            .array
            ?? []
    }

    @Test func `sign-ins are listed with the program that began them, across refreshes`() async throws {
        let stack = try await SharedStack.running()
        let first = try await stack.user()
        let login: JSON = ["username": .string(first.username), "password": .string(first.password)]
        let answer = try await stack.system.send(
            .post, "/api/v1/auth/login", login,
            headers: [("User-Agent", "Browser/1.0 \(String(repeating: "x", count: 400))")]
        ).require(200, "login").json
        let refreshed = try await stack.system.post(
            "/api/v1/auth/refresh", ["refreshToken": answer["refreshToken"] ?? .null]
        ).require(200, "refresh").json
        let second = first.signedIn(token: refreshed["accessToken"]?.string ?? "")
        let sessions = try await list(stack, second)
        #expect(sessions.count == 2)
        #expect(sessions.compactMap { $0["isCurrent"]?.bool } == [true, false])
        #expect(sessions[0]["userAgent"]?.string?.hasPrefix("Browser/1.0") == true)
        #expect(sessions[0]["userAgent"]?.string?.count == 256)
        let (created, used) = (sessions[0]["createdAt"]?.string ?? "", sessions[0]["lastUsedAt"]?.string ?? "")
        #expect(created <= used && created > (sessions[1]["createdAt"]?.string ?? "z"))
        #expect(try await list(stack, first).compactMap { $0["isCurrent"]?.bool } == [false, true])
    }

    @Test func `a sign-in is ended by its id, and only by its own user`() async throws {
        let stack = try await SharedStack.running()
        let (kept, other) = try await SignIn.two(stack)
        let stranger = try await stack.user()
        let sessions = try await list(stack, kept.user)
        let sessionID = sessions.first { $0["isCurrent"] == false }?["sessionId"]?.string ?? ""
        let path = "/api/v1/sessions/\(sessionID)"
        for id in [sessionID, "1", "x", "-1"] {
            let refused = try await stack.system.send(.delete, "/api/v1/sessions/\(id)", as: stranger.credentials)
            #expect(refused.status == 404 && refused.code == "session_not_found", "\(id)")
        }
        let (closed, open) = (try await other.sockets(), try await kept.sockets())
        #expect(try await stack.system.send(.delete, path, as: kept.user.credentials).status == 204)
        try await SignIn.expectClosed(closed)
        try await other.isRefused()
        try await SignIn.expectOpen(open)
        #expect(try await other.refresh().status == 401)
        #expect(try await list(stack, kept.user).count == 1)
        #expect(try await stack.system.send(.delete, path, as: kept.user.credentials).status == 404)
    }

    @Test func `a user erases itself with the password`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let (user, other) = (users[0], users[1])
        let roomID = try await stack.room("public", of: user, with: [other])
        let signIn = SignIn(stack, user, roomID)
        func erase(_ body: JSON) async throws -> RESTResponse {
            try await stack.system.post("/api/v1/users/me/erase", body, as: user.credentials)
        }
        let wrong = try await erase(["password": "another one"])
        #expect(wrong.status == 401 && wrong.code == "invalid_credentials")
        #expect(try await erase([:]).fields == ["password"])
        #expect(try await signIn.isTaken())
        #expect(try await erase(["password": .string(user.password)]).status == 204)
        try await signIn.isRefused()
        let profile = try await stack.system.get("/api/v1/users/\(user.userID)", as: other.credentials).json
        #expect(profile["isErased"] == true && profile["username"] == nil)
        let log = try await stack.log(of: roomID, as: other)
        #expect(log.last?["eventType"] == "member_left" && log.last?["actorId"] == .integer(user.userID))
    }

    @Test func `with closed registration nobody registers, and who is there signs in`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        try await stack.withServer(.system, ["CHAT_REGISTRATION": "closed"]) { server in
            let client = RESTClient(baseURL: server.url)
            let account: JSON = ["username": .string(Unique.name("u")), "password": .string(SharedStack.password)]
            let refused = try await client.post("/api/v1/auth/register", account)
            #expect(refused.status == 403 && refused.code == "registration_closed")
            let login: JSON = ["username": .string(user.username), "password": .string(user.password)]
            #expect(try await client.post("/api/v1/auth/login", login).status == 200)
        }
    }
}
