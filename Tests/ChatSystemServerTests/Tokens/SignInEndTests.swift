import ChatLocalStack
import ChatTestSupport
import Foundation
import Logging
import PostgresClient
import Testing

/// The end of a sign-in, as all three servers have to know it within two seconds, whatever the `exp` of its access tokens.
/// That bound is not measured here: it is waited for until it shows, since the machine may be busy.
@Suite("Sign-ins that are ended", .timeLimit(.minutes(2)))
struct SignInEndTests {
    /// One sign-in of a user, and the servers that it is shown to.
    private struct SignIn {
        let stack: SharedStack
        let user: TestUser
        let roomID: String
        var messages: [RESTClient]
        var webSocketPorts: [Int]

        init(_ stack: SharedStack, _ user: TestUser, _ roomID: String) {
            self.stack = stack
            self.user = user
            self.roomID = roomID
            messages = [stack.messages(0), stack.messages(1)]
            webSocketPorts = [stack.webSocketPort(0), stack.webSocketPort(1)]
        }

        func socket(_ port: Int) async throws -> WebSocketTestClient {
            try await stack.socket(roomID, as: user, port: port)
        }

        /// A socket on each WebSocket server.
        func sockets() async throws -> [WebSocketTestClient] {
            var sockets: [WebSocketTestClient] = []
            for port in webSocketPorts { sockets.append(try await stack.readySocket(roomID, as: user, port: port)) }
            return sockets
        }

        /// What each server says to the access token: statuses of the REST servers, close codes of the others.
        func answers() async throws -> [Int?] {
            var answers: [Int?] = [try await stack.system.get("/api/v1/users/me", as: user.credentials).status]
            for server in messages {
                answers.append(
                    try await server.get("/api/v1/rooms/\(roomID)/events", as: user.credentials).status)
            }
            for port in webSocketPorts {
                let socket = try await socket(port)
                answers.append(try await socket.refusal()?.code.map(Int.init))
                socket.drop()
            }
            return answers
        }

        func isTaken() async throws -> Bool {
            try await answers() == messages.map { _ in 200 } + [200] + webSocketPorts.map { _ in nil }
        }

        /// Waits until no server takes the access token any more.
        func isRefused() async throws {
            let expected: [Int?] = [401] + messages.map { _ in 401 } + webSocketPorts.map { _ in 4401 }
            let deadline = ContinuousClock.now + .seconds(30)
            var answers = try await answers()
            while answers != expected {
                try #require(ContinuousClock.now < deadline, "\(answers)")
                // Nothing tells that a server has heard of it but asking.
                try await Task.sleep(for: .milliseconds(50))
                answers = try await self.answers()
            }
        }

        func logOut() async throws {
            try await stack.system.post("/api/v1/auth/logout", ["refreshToken": .string(user.refreshToken)])
                .require(204, "logout")
        }

        func refresh() async throws -> RESTResponse {
            try await stack.system.post("/api/v1/auth/refresh", ["refreshToken": .string(user.refreshToken)])
        }
    }

    private static func again(_ stack: SharedStack, _ user: TestUser, password: String? = nil) async throws -> TestUser
    {
        let password = password ?? user.password
        let login = try await stack.system.post(
            "/api/v1/auth/login", ["username": .string(user.username), "password": .string(password)]
        ).require(200, "login").json
        return user.signedIn(
            token: login["accessToken"]?.string ?? "", refreshToken: login["refreshToken"]?.string ?? "",
            password: password)
    }

    /// A user with two sign-ins and a room.
    private static func twoSignIns(_ stack: SharedStack) async throws -> (SignIn, SignIn) {
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        return (SignIn(stack, user, roomID), SignIn(stack, try await again(stack, user), roomID))
    }

    private static func expectClosed(_ sockets: [WebSocketTestClient]) async throws {
        for socket in sockets {
            let close = try await socket.closeFrame()
            #expect(close.code == 4401 && !close.reason.isEmpty)
        }
    }

    private static func expectOpen(_ sockets: [WebSocketTestClient]) async throws {
        for socket in sockets {
            try await socket.send(["type": "ping"])
            try await socket.event(type: "pong")
        }
    }

    // MARK: Ways to end one

    @Test("A logout ends that sign-in on all servers, closes its sockets, and touches no other")
    func logout() async throws {
        let stack = try await SharedStack.running()
        let (ended, other) = try await Self.twoSignIns(stack)
        let (sockets, others) = (try await ended.sockets(), try await other.sockets())
        for signIn in [ended, other] { #expect(try await signIn.isTaken()) }
        try await ended.logOut()
        // The server that ended it knows at once.
        #expect(try await stack.system.get("/api/v1/users/me", as: ended.user.credentials).code == "invalid_token")
        try await Self.expectClosed(sockets)
        try await ended.isRefused()
        #expect(try await ended.refresh().status == 401)
        #expect(try await other.isTaken())
        try await Self.expectOpen(others)
        #expect(try await other.refresh().status == 200)
    }

    @Test("A token of the same sign-in that was got by a refresh ends with it, also where it came to the socket later")
    func refreshed() async throws {
        let stack = try await SharedStack.running()
        let (ended, other) = try await Self.twoSignIns(stack)
        let fresh = try #require(try await ended.refresh().json["accessToken"])
        // A socket lives by the last token that it was given, and ends with that one's sign-in.
        let moved = try await stack.readySocket(ended.roomID, as: other.user)
        let left = try await stack.readySocket(ended.roomID, as: ended.user)
        let otherToken = try #require(other.user.token)
        for (socket, token) in [(moved, fresh), (left, .string(otherToken))] {
            try await socket.send(["type": "auth", "token": token])
            try await socket.send(["type": "auth", "token": "x.y.z"])
            // Tokens are judged one by one.
            try await socket.event("invalid_token") { $0["code"] == "invalid_token" }
        }
        try await ended.logOut()
        try await Self.expectClosed([moved])
        #expect(
            try await stack.system.get("/api/v1/users/me", as: .token(fresh.string ?? "")).status == 401)
        try await Self.expectOpen([left])
        // One that has ended is not taken in place of one that has not.
        try await ended.isRefused()
        try await left.send(["type": "auth", "token": .string(ended.user.token ?? "")])
        try await left.event("invalid_token") {
            $0["code"] == "invalid_token" && $0["message"]?.string?.contains("sign-in") == true
        }
        try await Self.expectOpen([left])
    }

    @Test("Logging out everywhere ends all sign-ins of the user, and tokens that name none, but nobody else's")
    func logoutAll() async throws {
        let stack = try await SharedStack.running()
        let (one, other) = try await Self.twoSignIns(stack)
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
        try await Self.expectClosed(sockets)
        for signIn in [one, other, old] { try await signIn.isRefused() }
        for signIn in [one, other] { #expect(try await signIn.refresh().status == 401) }
        try await Self.expectOpen(their)
        for signIn in [theirs, theirOld] { #expect(try await signIn.isTaken()) }
        #expect(try await SignIn(stack, Self.again(stack, one.user), one.roomID).isTaken())
    }

    @Test("A new password ends all other sign-ins; the caller's goes on, and the old password is none any more")
    func password() async throws {
        let stack = try await SharedStack.running()
        let (own, other) = try await Self.twoSignIns(stack)
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
        try await Self.expectClosed(others)
        try await other.isRefused()
        try await Self.expectOpen(sockets)
        #expect(try await own.isTaken())
        #expect(try await own.refresh().status == 200)
        #expect(try await other.refresh().status == 401)
        let old = try await stack.system.post(
            "/api/v1/auth/login", ["username": .string(own.user.username), "password": .string(own.user.password)])
        #expect(old.code == "invalid_credentials")
        #expect(
            try await SignIn(stack, Self.again(stack, own.user, password: "a new password"), own.roomID).isTaken())
    }

    @Test("Wrong present passwords count as logins to the account")
    func passwordLimit() async throws {
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

    @Test("A refresh token that is used again too late ends its sign-in on all servers")
    func reuse() async throws {
        let stack = try await SharedStack.running()
        let (ended, other) = try await Self.twoSignIns(stack)
        let sockets = try await ended.sockets()
        let first = try await ended.refresh().require(200, "refresh").json
        try await Self.age(stack, ended.user, seconds: 29)
        let again = try await ended.refresh().require(200, "refresh again").json
        #expect(again["refreshToken"] == first["refreshToken"] && again["accessToken"] != first["accessToken"])
        #expect(try await ended.isTaken())
        try await Self.age(stack, ended.user, seconds: 2)
        #expect(try await ended.refresh().code == "invalid_refresh_token")
        try await Self.expectClosed(sockets)
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

    // MARK: Where Redis does not tell

    private static let pushed = #"chat_revocations_received_total{from="redis"}"#
    private static let read = #"chat_revocations_received_total{from="postgres"}"#

    /// The value of a series in the metrics of a server.
    private static func count(_ series: String, in metrics: String) -> Int {
        let line = metrics.split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }.map { Int($0) } ?? 0
    }

    @Test("A server that cannot reach Redis reads of it in the database", .timeLimit(.minutes(2)))
    func withoutRedis() async throws {
        let port = try FreePort.next()
        try await Self.elsewhere(["CHAT_REDIS_URL": "redis://127.0.0.1:\(port)"])
    }

    @Test("A server to which Redis pushes nothing, and seems well, does so, too", .timeLimit(.minutes(2)))
    func lostPush() async throws {
        let stack = try await SharedStack.running()
        let proxy = try await FaultProxy.start(to: stack.processes.redis.port, wire: .redis)
        try await proxy.set(.dropPushes(percent: 100))
        try await Self.elsewhere(["CHAT_REDIS_URL": "redis://127.0.0.1:\(proxy.port)"])
        try await proxy.stop()
    }

    /// Ends a sign-in that is in use on servers with other settings.
    private static func elsewhere(_ environment: [String: String]) async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.message, environment) { message async throws in
            try await stack.withServer(.webSocket, environment) { webSocket async throws in
                var (ended, other) = try await twoSignIns(stack)
                ended.messages = [RESTClient(baseURL: message.url)]
                ended.webSocketPorts = [webSocket.port]
                (other.messages, other.webSocketPorts) = (ended.messages, ended.webSocketPorts)
                let (sockets, others) = (try await ended.sockets(), try await other.sockets())
                for signIn in [ended, other] { #expect(try await signIn.isTaken()) }
                try await ended.logOut()
                try await expectClosed(sockets)
                try await ended.isRefused()
                #expect(try await other.isTaken())
                try await expectOpen(others)
                let metrics = try await ended.messages[0].get("/metrics").text
                #expect(count(read, in: metrics) > 0)
                #expect(count("chat_revocations", in: metrics) > 0)
            }
        }
    }

    @Test("A server that starts later knows of it before it takes its first request")
    func start() async throws {
        let stack = try await SharedStack.running()
        let (ended, _) = try await Self.twoSignIns(stack)
        try await ended.logOut()
        // Nobody tells it, and what the database says of the last minutes alone would not do.
        let port = try FreePort.next()
        let environment = ["CHAT_REDIS_URL": "redis://127.0.0.1:\(port)"]
        let server = try stack.makeServer(.message, environment)
        try await server.launch()
        let client = RESTClient(baseURL: server.url)
        let answer = try await client.waitForAnswer("/api/v1/rooms/\(ended.roomID)/events", 401)
        #expect(answer.code == "missing_token")
        let status = try await client.get("/api/v1/rooms/\(ended.roomID)/events", as: ended.user.credentials).status
        #expect(status == 401)
        try await server.stop()
    }

    @Test("Who was let in when the sign-in ended, but whose room was still looked up, gets no socket")
    func admittedMeanwhile() async throws {
        let stack = try await SharedStack.running()
        let url = try #require(stack.environment["CHAT_DATABASE_URL"])
        let database = try await FaultProxy.start(to: stack.processes.postgres.port)
        let behind = url.replacing(":\(stack.processes.postgres.port)/", with: ":\(database.port)/")
        #expect(behind != url)
        try await stack.withServer(.webSocket, ["CHAT_DATABASE_URL": behind]) { server in
            let http = RESTClient(baseURL: server.url)
            var code: UInt16?
            repeat {
                var (ended, _) = try await Self.twoSignIns(stack)
                ended.webSocketPorts = [server.port]
                // The token is known there from now on.
                try await ended.sockets()[0].close()
                try await database.set(.blackHole)
                // The handshake is answered once the room is known, so it is not waited for.
                let (signIn, port) = (ended, server.port)
                let connecting = Task { try await signIn.socket(port) }
                // Nothing tells that it has come; if it has not, it is refused all the same.
                try await Task.sleep(for: .milliseconds(200))
                let told = Self.count(Self.pushed, in: try await http.get("/metrics").text)
                try await signIn.logOut()
                try await http.waitForAnswer("/metrics", 200) {
                    Self.count(Self.pushed, in: $0.text) > told
                }
                try await database.set(.pass)
                code = try await connecting.value.refusal()?.code
                // The database was away for too long: once more.
            } while code == 1013
            #expect(code == 4401)
        }
        try await database.stop()
    }

    @Test("In trusted mode all sockets of the user are closed, and whoever is believed may come again")
    func trusted() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = Unique.name("open")
        var sockets: [WebSocketTestClient] = []
        for server in 0...1 { sockets.append(try await stack.readySocket(roomID, as: user, server: server)) }
        let bystander = try await stack.readySocket(roomID, as: other)
        try await stack.system.send(.post, "/api/v1/auth/logout-all", as: user.credentials).require(204, "logout-all")
        try await Self.expectClosed(sockets)
        try await Self.expectOpen([bystander, try await stack.readySocket(roomID, as: user)])
        #expect(try await stack.system.get("/api/v1/rooms", as: user.credentials).status == 200)
        let password: JSON = ["current": "a password", "next": "another password"]
        let answer = try await stack.system.send(.put, "/api/v1/users/me/password", password, as: user.credentials)
        #expect(answer.code == "user_not_found")
    }

    @Test("Ends are counted and logged by their reason, without a secret")
    func traces() async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.system) { server in
            let system = RESTClient(baseURL: server.url)
            let (one, other) = try await Self.twoSignIns(stack)
            let claims = try JSON(parsing: Base64URL.decode((one.user.token ?? "").split(separator: ".")[1]))
            let signInID = try #require(claims["sid"]?.string)
            let token: JSON = ["refreshToken": .string(one.user.refreshToken)]
            try await system.post("/api/v1/auth/logout", token).require(204, "logout")
            let next = Unique.name("password")
            let password: JSON = ["current": .string(other.user.password), "next": .string(next)]
            try await system.send(.put, "/api/v1/users/me/password", password, as: other.user.credentials)
                .require(204, "password")
            try await system.send(.post, "/api/v1/auth/logout-all", as: other.user.credentials).require(204, "all")
            let metrics = try await system.get("/metrics").text
            for reason in ["logout", "logout_all", "password"] {
                #expect(Self.count(#"chat_sign_ins_ended_total{reason="\#(reason)"}"#, in: metrics) == 1)
            }
            let log = try String(contentsOfFile: server.configuration.logFile, encoding: .utf8)
            let line = try #require(
                log.split(separator: "\n").first { $0.contains("Sign-ins ended") && $0.contains(signInID) })
            #expect(line.contains("logout") && line.contains("\(one.user.userID)"))
            for secret in [one.user.refreshToken, other.user.refreshToken, next] { #expect(!log.contains(secret)) }
        }
    }
}
