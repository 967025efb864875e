import ChatLocalStack
import ChatTestSupport
import Foundation
import Logging
import PostgresClient
import Testing

/// The end of a sign-in, which all three servers enforce within two seconds, whatever the `exp` of its access tokens.
/// The tests wait for it without measuring that time, since the machine may be busy.
@Suite(.timeLimit(.minutes(2))) struct SignInEndTests {
    // MARK: Ways to end one

    @Test func `a logout ends that sign-in on all servers, closes its sockets, and touches no other`() async throws {
        let stack = try await SharedStack.running()
        let (ended, other) = try await SignIn.two(stack)
        let (sockets, others) = (try await ended.sockets(), try await other.sockets())
        for signIn in [ended, other] { #expect(try await signIn.isTaken()) }
        try await ended.logOut()
        // The server that ended it knows at once.
        #expect(try await stack.system.get("/api/v1/users/me", as: ended.user.credentials).code == "invalid_token")
        try await SignIn.expectClosed(sockets)
        try await ended.isRefused()
        #expect(try await ended.refresh().status == 401)
        #expect(try await other.isTaken())
        try await SignIn.expectOpen(others)
        #expect(try await other.refresh().status == 200)
    }

    @Test func `a refreshed token ends with its sign-in, also one that a socket got later`() async throws {
        let stack = try await SharedStack.running()
        let (ended, other) = try await SignIn.two(stack)
        let fresh = try #require(try await ended.refresh().json["accessToken"])
        // A socket lives by the last token that it was given, and ends with that one's sign-in.
        let moved = try await stack.readySocket(ended.roomID, as: other.user)
        let left = try await stack.readySocket(ended.roomID, as: ended.user)
        let otherToken = try #require(other.user.token)
        for (socket, token) in [(moved, fresh), (left, .string(otherToken))] {
            try await socket.send(["type": "auth", "token": token])
            try await socket.send(["type": "auth", "token": "x.y.z"])
            // Tokens are verified one by one.
            try await socket.event("invalid_token") { $0["code"] == "invalid_token" }
        }
        try await ended.logOut()
        try await SignIn.expectClosed([moved])
        #expect(
            try await stack.system.get("/api/v1/users/me", as: .token(fresh.string ?? "")).status == 401)
        try await SignIn.expectOpen([left])
        // One that has ended is not taken in place of one that has not.
        try await ended.isRefused()
        try await left.send(["type": "auth", "token": .string(ended.user.token ?? "")])
        try await left.event("invalid_token") {
            $0["code"] == "invalid_token" && $0["message"]?.string?.contains("sign-in") == true
        }
        try await SignIn.expectOpen([left])
    }

    @Test func `logging out everywhere ends all sign-ins of the user and unnamed tokens, but no others`() async throws {
        let stack = try await SharedStack.running()
        let (one, other) = try await SignIn.two(stack)
        let bystander = try await stack.user()
        let theirs = SignIn(stack, bystander, try await stack.room(of: bystander))
        let forge = try TokenForge(file: stack.processes.folder + "/data/signing-key.pem")
        func older(_ user: TestUser) throws -> SignIn {
            // As servers before `sid` issued them.
            let token = try forge.token(TokenForge.claims(user.userID))
            return SignIn(stack, user.signedIn(token: token), user == bystander ? theirs.roomID : one.roomID)
        }
        let (old, theirOld) = (try older(one.user), try older(bystander))
        let sockets = try await one.sockets() + other.sockets() + old.sockets()
        let their = try await theirs.sockets() + theirOld.sockets()
        #expect(try await old.isTaken())

        #expect(try await stack.system.post("/api/v1/auth/logout-all", [:]).code == "missing_token")
        try await stack.system.send(.post, "/api/v1/auth/logout-all", as: one.user.credentials).require(204, "all")
        try await SignIn.expectClosed(sockets)
        for signIn in [one, other, old] { try await signIn.isRefused() }
        for signIn in [one, other] { #expect(try await signIn.refresh().status == 401) }
        try await SignIn.expectOpen(their)
        for signIn in [theirs, theirOld] { #expect(try await signIn.isTaken()) }
        #expect(try await SignIn(stack, SignIn.again(stack, one.user), one.roomID).isTaken())
    }

    @Test func `a new password ends all other sign-ins, and the old password is refused`() async throws {
        let stack = try await SharedStack.running()
        let (own, other) = try await SignIn.two(stack)
        let (sockets, others) = (try await own.sockets(), try await other.sockets())
        let path = "/api/v1/users/me/password"
        func change(_ current: String, _ next: String, as caller: Credentials) async throws -> RESTResponse {
            try await stack.system.send(
                .put, path, ["current": .string(current), "next": .string(next)], as: caller)
        }
        let credentials = own.user.credentials
        #expect(try await change("wrong horse", "a new password", as: credentials).code == "invalid_credentials")
        #expect(try await change("wrong horse", "a new password", as: credentials).status == 401)
        #expect(try await change(own.user.password, "short", as: credentials).fields == ["next"])
        #expect(try await stack.system.send(.put, path, [:], as: credentials).fields == ["current", "next"])
        #expect(try await change(own.user.password, "a new password", as: .none).code == "missing_token")
        for signIn in [own, other] { #expect(try await signIn.isTaken()) }

        #expect(try await change(own.user.password, "a new password", as: credentials).status == 204)
        try await SignIn.expectClosed(others)
        try await other.isRefused()
        try await SignIn.expectOpen(sockets)
        #expect(try await own.isTaken())
        #expect(try await own.refresh().status == 200)
        #expect(try await other.refresh().status == 401)
        let old = try await stack.system.post(
            "/api/v1/auth/login", ["username": .string(own.user.username), "password": .string(own.user.password)])
        #expect(old.code == "invalid_credentials")
        #expect(
            try await SignIn(stack, SignIn.again(stack, own.user, password: "a new password"), own.roomID).isTaken())
    }

    @Test func `wrong current passwords count as logins to the account`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        try await stack.withServer(.system, ["CHAT_LIMIT_LOGINS_PER_ACCOUNT": "1/m"]) { server in
            let system = RESTClient(baseURL: server.url)
            let body: JSON = ["current": "wrong horse", "next": "a new password"]
            var statuses: [Int] = []
            for _ in 0..<6 {
                statuses.append(
                    try await system.send(.put, "/api/v1/users/me/password", body, as: user.credentials).status)
            }
            #expect(statuses == [401, 401, 401, 401, 401, 429])
            let login: JSON = ["username": .string(user.username), "password": .string(user.password)]
            #expect(try await system.post("/api/v1/auth/login", login).status == 429)
        }
    }

    @Test func `a refresh token that is used again too late ends its sign-in on all servers`() async throws {
        let stack = try await SharedStack.running()
        let (ended, other) = try await SignIn.two(stack)
        let sockets = try await ended.sockets()
        let first = try await ended.refresh().require(200, "refresh").json
        try await Self.age(stack, ended.user, seconds: 20)
        let again = try await ended.refresh().require(200, "refresh again").json
        #expect(again["refreshToken"] == first["refreshToken"] && again["accessToken"] != first["accessToken"])
        #expect(try await ended.isTaken())
        try await Self.age(stack, ended.user, seconds: 11)
        #expect(try await ended.refresh().code == "invalid_refresh_token")
        try await SignIn.expectClosed(sockets)
        try await ended.isRefused()
        for token in [first["accessToken"], again["accessToken"]] {
            #expect(try await stack.system.get("/api/v1/users/me", as: .token(token?.string ?? "")).status == 401)
        }
        #expect(
            try await stack.system.post("/api/v1/auth/refresh", ["refreshToken": first["refreshToken"] ?? .null])
                .status == 401)
        #expect(try await other.isTaken())
    }

    /// Puts the uses of a user's refresh tokens into the past.
    private static func age(_ stack: SharedStack, _ user: TestUser, seconds: Int) async throws {
        let url = try #require(stack.environment["CHAT_DATABASE_URL"])
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: Logger(label: "test"))
        try await whileRunning {
            try await client.run()
        } _: {
            _ = try await client.query(
                """
                UPDATE refresh_tokens SET used_at = used_at - $1 * interval '1 second' WHERE user_id = $2
                """, .int8(seconds), .int8(user.userID))
        }
    }
}
