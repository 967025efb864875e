import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct SocketLimitTests {
    @Test func `beyond a bound a socket is closed with 4429, and a closed socket frees its slot`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let roomID = Unique.name("limits")
        let limits = [
            "CHAT_LIMIT_SOCKETS_PER_USER": "2", "CHAT_LIMIT_SOCKETS": "4", "CHAT_TRUSTED_PROXIES": "127.0.0.1",
            "CHAT_LIMIT_SOCKETS_PER_ADDRESS": "3",
        ]
        try await stack.withServer(.webSocket, limits) { server async throws in
            let users = [try await stack.user(), try await stack.user(), try await stack.user()]
            func open(_ user: TestUser, from address: String) async throws -> WebSocketTestClient {
                try await WebSocketTestClient.connect(
                    port: server.port, "/ws/chat?roomId=\(roomID)&userId=\(user.userID)",
                    headers: [("X-Forwarded-For", address)])
            }
            var open3: [WebSocketTestClient] = []
            for user in [users[0], users[0], users[1]] {
                let socket = try await open(user, from: "192.0.2.1")
                try await socket.event(type: "ready")
                open3.append(socket)
            }
            // The user's bound, then the address's.
            #expect(try await open(users[0], from: "192.0.2.2").closeFrame().code == 4429)
            #expect(try await open(users[2], from: "192.0.2.1").closeFrame().code == 4429)
            // The last slot of the total, and no more.
            let last = try await open(users[2], from: "192.0.2.2")
            try await last.event(type: "ready")
            #expect(try await open(users[2], from: "192.0.2.3").closeFrame().code == 4429)

            let metrics = try await RESTClient(baseURL: server.url).get("/metrics").text
            for limit in ["sockets", "sockets_per_user", "sockets_per_address"] {
                #expect(metrics.contains(#"chat_rate_limited_total{limit="\#(limit)"} 1"#))
            }
            try await open3[0].close()
            try await open(users[0], from: "192.0.2.1").event(type: "ready")
        }
    }

    @Test func `a client that sends too many frames is closed with 4429`() async throws {
        let stack = try await SharedStack.running(.trusted)
        try await stack.withServer(.webSocket, ["CHAT_LIMIT_FRAMES": "2/s"]) { server async throws in
            let socket = try await stack.readySocket(
                Unique.name("frames"), as: try await stack.user(), port: server.port)
            // The burst is five times the rate.
            for _ in 0..<10 { try await socket.send(["type": "ping"]) }
            #expect(try await socket.events(11).last?["eventType"] == "pong")
            // The server closes somewhere in the middle: two more are allowed with each second that this takes.
            for _ in 0..<200 { guard (try? await socket.send(["type": "ping"])) != nil else { break } }
            #expect(try await socket.closeFrame().code == 4429)
            let metrics = try await RESTClient(baseURL: server.url).get("/metrics").text
            #expect(metrics.contains(#"chat_rate_limited_total{limit="frames"} 1"#))
        }
    }
}
