import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Testing

/// Tokens of sockets that stay open for longer than a token lives.
@Suite(.timeLimit(.minutes(2))) struct OpenSocketTokenTests {
    /// A login whose access token lives for so long.
    private static func login(
        _ stack: SharedStack, _ user: TestUser, seconds: Int
    ) async throws -> (token: String, userID: Int64) {
        try await stack.withServer(.system, ["CHAT_ACCESS_TOKEN_SECONDS": String(seconds)]) { server async throws in
            let login = try await RESTClient(baseURL: server.url).post(
                "/api/v1/auth/login",
                ["username": .string(user.username), "password": .string(SharedStack.password)]
            ).require(200, "login").json
            return (try #require(login["accessToken"]?.string), try #require(login["userId"]?.int))
        }
    }

    private static func socket(
        _ stack: SharedStack, _ roomID: String, token: String
    ) async throws -> WebSocketTestClient {
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat?roomId=\(roomID)&access_token=\(token)")
        try await socket.event(type: "ready")
        return socket
    }

    @Test func `the client is warned before its token expires, may renew it in place, and is closed if it does not`()
        async throws
    {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let short = try await Self.login(stack, user, seconds: 12)
        let renewed = try await Self.socket(stack, roomID, token: short.token)
        let forgotten = try await Self.socket(stack, roomID, token: short.token)
        for socket in [renewed, forgotten] {
            let warning = try await socket.event(type: "token_expiring")
            #expect(warning.keys == ["eventType", "expiresAt"])
            #expect(socket.events.first?["eventType"] == "ready")
            // Not at once, though its lifetime is less than a minute: when a quarter of it is left, and no earlier.
            let end = try #require(warning["expiresAt"]?.string.flatMap(Timestamp.init(text:)))
            #expect(Timestamp.now.microseconds >= end.microseconds - 3_000_000)
        }
        try await renewed.send(["type": "auth", "token": .string(try #require(user.token))])
        // The rest of the token's lifetime, half a minute, and a margin for a busy machine.
        let close = try await forgotten.closeFrame(within: .seconds(90))
        #expect(close.code == 4408)
        let end = try #require(forgotten.events.last?["expiresAt"]?.string.flatMap(Timestamp.init(text:)))
        #expect(Timestamp.now.microseconds >= end.microseconds + 30_000_000)
        #expect(!close.reason.isEmpty)
        try await stack.say("still here?", in: roomID, as: user)
        #expect(try await renewed.log(upTo: 1).count == 1)
        #expect(!renewed.events.contains { $0["eventType"] == "error" })
    }

    @Test func `another user's token, or an invalid one, is refused and changes nothing`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user)
        let socket = try await stack.readySocket(roomID, as: user)
        try await socket.send(["type": "auth", "token": .string(try #require(other.token))])
        try await socket.event("wrong_user") { $0["eventType"] == "error" && $0["code"] == "wrong_user" }
        try await socket.send(["type": "auth", "token": "x.y.z"])
        try await socket.event("invalid_token") { $0["eventType"] == "error" && $0["code"] == "invalid_token" }
        try await stack.say("hello", in: roomID, as: user)
        #expect(try await socket.log(upTo: 1).count == 1)
    }

    @Test func `a trusted server accepts no tokens`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let socket = try await stack.readySocket(Unique.name("auth"), as: try await stack.user())
        try await socket.send(["type": "auth", "token": "x.y.z"])
        #expect(try await socket.event(type: "error")["code"] == "not_allowed")
    }
}
