import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Testing

/// Requests for streams that are refused, and clients that do what none should.
@Suite(.timeLimit(.minutes(2))) struct EventStreamRefusalTests {
    private func target(_ query: String) -> String { "/sse/chat?\(query)" }

    /// A refusal, which has to be a problem.
    private func refusal(
        _ target: String, port: Int, headers: [(String, String)] = []
    ) async throws -> EventStreamTestClient.Response {
        let response = try await EventStreamTestClient.connect(port: port, target, headers: headers).response
        #expect(response.header("content-type") == "application/problem+json", "\(response)")
        #expect(response.json["status"]?.int == Int64(response.status) && response.json["traceId"] != nil)
        #expect(response.header("x-request-id") != nil && response.header("cache-control") == "no-store")
        return response
    }

    @Test func `each refusal has its status and its code`() async throws {
        let stack = try await SharedStack.running()
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        let (open, hidden) = (try await stack.room("public", of: owner), try await stack.room(of: owner))
        let port = stack.webSocketPort()
        func check(
            _ query: String, as user: TestUser?, _ status: Int, _ code: String, headers: [(String, String)] = []
        ) async throws {
            let token = user?.token.map { [("Authorization", "Bearer \($0)")] } ?? []
            let response = try await refusal(target(query), port: port, headers: token + headers)
            #expect(response.status == status && response.json["code"] == .string(code), "\(query): \(response.json)")
        }
        try await check("roomId=\(hidden)", as: nil, 401, "missing_token")
        try await check("roomId=\(hidden)&access_token=x.y.z", as: nil, 401, "invalid_token")
        try await check("roomId=\(hidden)&userId=\(owner.userID)", as: nil, 401, "missing_token")
        try await check("roomId=\(open)", as: stranger, 403, "not_a_member")
        try await check("roomId=\(hidden)", as: stranger, 404, "room_not_found")
        try await check("roomId=\(Unique.name())", as: owner, 404, "room_not_found")
        try await check("roomId=\(hidden)&lastSeq=1", as: owner, 409, "log_mismatch")
        try await check("roomId=\(hidden)", as: owner, 409, "log_mismatch", headers: [("Last-Event-ID", "7")])
        try await stack.say("first", in: hidden, as: owner)
        try await check("roomId=\(hidden)&lastSeq=1&lastMark=AAAAAAAAAAA", as: owner, 409, "log_mismatch")
        try await check(
            "roomId=\(hidden)", as: owner, 409, "log_mismatch", headers: [("Last-Event-ID", "1.AAAAAAAAAAA")])
        // A stranger learns nothing of the log.
        try await check("roomId=\(hidden)&lastSeq=1", as: stranger, 404, "room_not_found")
        for query in [
            "", "roomId=", "roomId=a%20b", "roomId=a%", "roomId=\(hidden)&lastSeq=x", "roomId=\(hidden)&lastSeq=-1",
            "roomId=\(hidden)&lastMark=AAAAAAAAAAA", "roomId=\(hidden)&lastSeq=1&lastMark=x",
        ] {
            try await check(query, as: owner, 422, "validation_failed")
        }
        for id in ["x", "1.", ".abcdef", "0.abcdef", "1.abc", "-1", "1 2", "9223372036854775808"] {
            try await check("roomId=\(hidden)", as: owner, 422, "validation_failed", headers: [("Last-Event-ID", id)])
        }
        let named = try await refusal(
            target("roomId=\(hidden)&lastSeq=x&access_token=\(owner.token ?? "")"), port: port)
        #expect(named.json["errors"]?.array?.first?["field"] == "lastSeq")
        // The token in the query opens what the header does.
        let token = try #require(owner.token)
        let stream = try await EventStreamTestClient.connect(
            port: port, target("roomId=\(hidden)&access_token=\(token)"))
        try await stream.event(type: "ready")
    }

    @Test func `X-On-Behalf-Of needs a server's key, which no stream is for`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let (key, token) = (try await stack.key(.messages), try #require(user.token))
        for path in [target("roomId=\(roomID)"), "/sse/user"] {
            for credentials in [[], [("Authorization", "Bearer \(token)")]] {
                let refused = try await refusal(
                    path, port: stack.webSocketPort(), headers: credentials + TestKey.onBehalf(of: user))
                #expect(refused.status == 400 && refused.json["code"] == "malformed_request", "\(path)")
            }
            let refused = try await refusal(
                path, port: stack.webSocketPort(),
                headers: [("Authorization", "Bearer \(key.text)")] + TestKey.onBehalf(of: user))
            #expect(refused.status == 401 && refused.json["code"] == "invalid_token", "\(path)")
        }
    }

    @Test func `other methods and requests with a body are refused, HEAD is not`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (port, path) = (stack.webSocketPort(), target("roomId=\(Unique.name())"))
        let post = try await EventStreamTestClient.connect(port: port, path, method: "POST").response
        #expect(post.status == 405 && post.header("allow") == "GET, HEAD, OPTIONS")
        #expect(post.json["code"] == "method_not_allowed")
        let head = try await EventStreamTestClient.connect(port: port, path, method: "HEAD").response
        #expect(head.status == 200 && head.header("content-type") == "text/event-stream" && head.body.isEmpty)
        let body = try await EventStreamTestClient.connect(
            port: port, path, headers: [("Content-Length", "2")], unread: "{}"
        ).response
        #expect(body.status == 400)
        let slash = try await EventStreamTestClient.connect(port: port, "/sse/chat/?roomId=a").response
        #expect(slash.status == 404)
    }

    @Test func `pages of allowed origins may read streams and refusals, and others may not`() async throws {
        let stack = try await SharedStack.running(.trusted)
        try await stack.withServer(.webSocket, ["CHAT_ALLOWED_ORIGINS": "https://a.example"]) { server async throws in
            let path = target("roomId=\(Unique.name())")
            for (origin, allowed) in [("https://a.example", "https://a.example"), ("https://b.example", nil)] {
                for path in [path, "/sse/chat"] {
                    let response = try await EventStreamTestClient.connect(
                        port: server.port, path, headers: [("Origin", origin), ("X-Request-Id", "my-id")]
                    ).response
                    #expect(response.status == (path == "/sse/chat" ? 422 : 200))
                    #expect(response.header("access-control-allow-origin") == allowed)
                    #expect(response.header("x-request-id") == "my-id" && response.header("vary") == "Origin")
                }
            }
            let preflight = try await EventStreamTestClient.connect(
                port: server.port, path, method: "OPTIONS",
                headers: [
                    ("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET"),
                    ("Access-Control-Request-Headers", "authorization,last-event-id"),
                ]
            ).response
            #expect(preflight.status == 204)
            #expect(preflight.header("access-control-allow-headers")?.contains("Last-Event-ID") == true)
        }
    }

    @Test func `streams count as sockets, and leave their place when their client goes`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let settings = ["CHAT_LIMIT_SOCKETS_PER_USER": "2", "CHAT_LIMIT_SOCKETS": "3"]
        try await stack.withServer(.webSocket, settings) { server async throws in
            let users = [try await stack.user(), try await stack.user()]
            let roomID = Unique.name("limits")
            let streams = [
                try await stack.stream(roomID, as: users[0], port: server.port),
                try await stack.stream(roomID, as: users[0], port: server.port),
            ]
            for stream in streams { try await stream.event(type: "ready") }
            let refused = try await stack.stream(roomID, as: users[0], port: server.port).response
            #expect(refused.status == 429 && refused.json["code"] == "rate_limited")
            #expect(refused.header("retry-after").flatMap { Int($0) } ?? 0 > 0)
            #expect(try await stack.socket(roomID, as: users[0], port: server.port).closeFrame().code == 4429)
            let socket = try await stack.readySocket(roomID, as: users[1], port: server.port)
            #expect(try await stack.stream(roomID, as: users[1], port: server.port).response.status == 429)
            let rest = RESTClient(baseURL: server.url)
            let metrics = try await rest.get("/metrics").text
            #expect(metrics.contains("chat_event_streams 2") && metrics.contains(#"chat_sessions{state="live"} 3"#))
            #expect(metrics.contains(#"route="/sse/chat",status="429"} 2"#))
            for stream in streams { stream.drop() }
            try await rest.waitForAnswer("/metrics", 200) {
                $0.text.contains("chat_event_streams 0") && $0.text.contains(#"chat_sessions{state="live"} 1"#)
            }
            try await stack.stream(roomID, as: users[0], port: server.port).event(type: "ready")
            try await socket.close()
        }
    }

    @Test func `what a client sends behind its request disturbs neither its stream nor the server`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("noise")
        let path = target("roomId=\(roomID)")
        let request = "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n"
        let noise = [request + request, "nonsense\n\n", String(repeating: "x", count: 100_000), "\u{0}\r\n\r\n"]
        for unread in noise {
            let stream = try await EventStreamTestClient.connect(port: stack.webSocketPort(), path, unread: unread)
            try await stream.event(type: "ready")
            let message = try await stack.say("Hello", in: roomID, as: user)
            let seq = try #require(message["seq"]?.int)
            try await stream.send(unread)
            #expect(try await stream.log(upTo: seq).count == 1)
            #expect(stream.messages.filter { $0["eventType"] == "ready" }.count == 1)
            #expect(stream.faults.isEmpty)
        }
    }

    @Test func `a stream can follow other requests on its connection`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let roomID = Unique.name("later")
        let requests =
            "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /sse/chat HTTP/1.1\r\nHost: x\r\n\r\n"
            + "GET \(target("roomId=\(roomID)")) HTTP/1.1\r\nHost: x\r\n\r\n"
        let stream = try await EventStreamTestClient.connect(
            port: stack.webSocketPort(), "/sse/chat", method: "DELETE", unread: requests)
        #expect(stream.response.status == 405)
        // The responses to the other requests come behind, and then the stream.
        try await stream.received("\"eventType\":\"ready\"")
        let statuses = stream.received.matches(of: #/HTTP/1\.1 (\d+) /#).map(\.1)
        #expect(statuses == ["200", "422", "200"])
    }
}
