import ChatLocalStack
import ChatTestSupport
import Foundation
import Logging
import PostgresClient
import Testing

/// How the end of a sign-in reaches the servers: without Redis, at a start, during a handshake.
@Suite(.timeLimit(.minutes(2))) struct SignInPropagationTests {
    @Test(.timeLimit(.minutes(2)))
    func `a server without Redis reads ended sign-ins from the database`() async throws {
        let port = try FreePort.next()
        try await Self.elsewhere(["CHAT_REDIS_URL": "redis://127.0.0.1:\(port)"])
    }

    @Test(.timeLimit(.minutes(2)))
    func `a server that misses the push reads ended sign-ins from the database`() async throws {
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
                var (ended, other) = try await SignIn.two(stack)
                ended.messages = [RESTClient(baseURL: message.url)]
                ended.webSocketPorts = [webSocket.port]
                (other.messages, other.webSocketPorts) = (ended.messages, ended.webSocketPorts)
                let (sockets, others) = (try await ended.sockets(), try await other.sockets())
                for signIn in [ended, other] { #expect(try await signIn.isTaken()) }
                try await ended.logOut()
                try await SignIn.expectClosed(sockets)
                try await ended.isRefused()
                #expect(try await other.isTaken())
                try await SignIn.expectOpen(others)
                let metrics = try await ended.messages[0].get("/metrics").text
                #expect(SignIn.count(SignIn.read, in: metrics) > 0)
                #expect(SignIn.count("chat_revocations", in: metrics) > 0)
            }
        }
    }

    @Test func `a server that starts later has the revocations before its first request`() async throws {
        let stack = try await SharedStack.running()
        let (ended, _) = try await SignIn.two(stack)
        try await ended.logOut()
        // Redis pushes nothing, and a read of the last minutes alone would not find it.
        let port = try FreePort.next()
        let environment = ["CHAT_REDIS_URL": "redis://127.0.0.1:\(port)"]
        let server = try stack.makeServer(.message, environment)
        try await server.launch()
        let client = RESTClient(baseURL: server.url)
        let answer = try await client.waitForAnswer("/api/v1/rooms/\(ended.roomID)/events", 401)
        #expect(answer.code == "missing_token")
        // Until it has fetched the keys of the system server it cannot verify a token.
        let deadline = ContinuousClock.now + .seconds(30)
        var status = 503
        while status == 503, ContinuousClock.now < deadline {
            status = try await client.get("/api/v1/rooms/\(ended.roomID)/events", as: ended.user.credentials).status
        }
        #expect(status == 401)
        try await server.stop()
    }

    @Test func `a handshake in progress when its sign-in ends gets no socket`()
        async throws
    {
        let stack = try await SharedStack.running()
        let url = try #require(stack.environment["CHAT_DATABASE_URL"])
        let database = try await FaultProxy.start(to: stack.processes.postgres.port)
        let behind = url.replacing(":\(stack.processes.postgres.port)/", with: ":\(database.port)/")
        #expect(behind != url)
        try await stack.withServer(.webSocket, ["CHAT_DATABASE_URL": behind]) { server in
            let http = RESTClient(baseURL: server.url)
            var code: UInt16?
            repeat {
                var (ended, _) = try await SignIn.two(stack)
                ended.webSocketPorts = [server.port]
                // The token is known there from now on.
                try await ended.sockets()[0].close()
                try await database.set(.blackHole)
                // The handshake is answered once the room is known, so it is not waited for.
                let (signIn, port) = (ended, server.port)
                let connecting = Task { try await signIn.socket(port) }
                // There is no event to wait for; if it has not arrived, it is refused as well.
                try await Task.sleep(for: .milliseconds(200))
                let pushed = SignIn.count(SignIn.pushed, in: try await http.get("/metrics").text)
                try await signIn.logOut()
                try await http.waitForAnswer("/metrics", 200) {
                    SignIn.count(SignIn.pushed, in: $0.text) > pushed
                }
                try await database.set(.pass)
                code = try await connecting.value.refusal()?.code
                // The database was away for too long: once more.
            } while code == 1013
            #expect(code == 4401)
        }
        try await database.stop()
    }

    @Test func `in trusted mode all sockets of the user are closed, and new ones are accepted`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = Unique.name("open")
        var sockets: [WebSocketTestClient] = []
        for server in 0...1 { sockets.append(try await stack.readySocket(roomID, as: user, server: server)) }
        let bystander = try await stack.readySocket(roomID, as: other)
        try await stack.system.send(.post, "/api/v1/auth/logout-all", as: user.credentials).require(204, "logout-all")
        try await SignIn.expectClosed(sockets)
        try await SignIn.expectOpen([bystander, try await stack.readySocket(roomID, as: user)])
        #expect(try await stack.system.get("/api/v1/rooms", as: user.credentials).status == 200)
        let password: JSON = ["current": "a password", "next": "another password"]
        let answer = try await stack.system.send(.put, "/api/v1/users/me/password", password, as: user.credentials)
        #expect(answer.code == "user_not_found")
    }

    @Test func `ended sign-ins are counted and logged by their reason, without a secret`() async throws {
        let stack = try await SharedStack.running()
        try await stack.withServer(.system) { server in
            let system = RESTClient(baseURL: server.url)
            let (one, other) = try await SignIn.two(stack)
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
                #expect(SignIn.count(#"chat_sign_ins_ended_total{reason="\#(reason)"}"#, in: metrics) == 1)
            }
            // What was logged before the last of them is there, too.
            try await server.logLine { $0.contains("Sign-ins ended") && $0.contains("logout_all") }
            let line = try await server.logLine { $0.contains("Sign-ins ended") && $0.contains(signInID) }
            let log = try String(contentsOfFile: server.configuration.logFile, encoding: .utf8)
            #expect(line.contains("logout") && line.contains("\(one.user.userID)"))
            for secret in [one.user.refreshToken, other.user.refreshToken, next] { #expect(!log.contains(secret)) }
        }
    }
}
