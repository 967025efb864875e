import ChatLocalStack
import ChatTestSupport
import Testing

/// What is no WebSocket handshake, or not one for this path, gets an HTTP answer.
@Suite("Handshake over HTTP")
struct HandshakeTests {
    @Test("A handshake for another path is not found")
    func wrongPath() async throws {
        let stack = try await SharedStack.running(.trusted)
        for path in ["/ws", "/ws/chat/", "/", "/ws/other?roomId=r"] {
            let answer = try await WebSocketTestClient.connect(port: stack.webSocketPort(), path).handshake
            #expect(answer.status == 404, "\(path)")
            #expect(answer.json["code"] == "not_found")
            #expect(answer.header("Content-Type") == "application/problem+json")
        }
    }

    @Test("A plain GET must upgrade")
    func noUpgrade() async throws {
        let stack = try await SharedStack.running(.trusted)
        let answer = try await stack.webSocket().get("/ws/chat?roomId=r")
        #expect(answer.status == 426)
        #expect(answer.code == "upgrade_required")
        #expect(answer.header("Upgrade") == "websocket")
        #expect(answer.header("Content-Type") == "application/problem+json")
    }

    @Test("Only GET")
    func wrongMethod() async throws {
        let stack = try await SharedStack.running(.trusted)
        let client = stack.webSocket()
        let answer = try await client.send(.post, "/ws/chat?roomId=r", [:])
        #expect(answer.status == 405)
        #expect(answer.code == "method_not_allowed")
        #expect(answer.header("Allow")?.contains("GET") == true)
        let upgrading = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat?roomId=r", method: "POST", headers: [("Content-Length", "0")])
        #expect(upgrading.handshake.status == 405)
    }

    @Test("A wrong version and a wrong key are refused")
    func wrongFields() async throws {
        let stack = try await SharedStack.running(.trusted)
        let target = "/ws/chat?roomId=\(Unique.name())"
        let version = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), target, headers: [("Sec-WebSocket-Version", "8")])
        #expect(version.handshake.status == 426)
        #expect(version.handshake.header("Sec-WebSocket-Version") == "13")
        let key = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), target,
            headers: [
                ("Sec-WebSocket-Key", "short"), ("X-Request-Id", "mine-1"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ])
        #expect(key.handshake.header("X-Request-Id") == "mine-1")
        #expect(key.handshake.json["traceId"] == "0af7651916cd43dd8448eb211c80319c")
        #expect(version.handshake.header("X-Request-Id")?.isEmpty == false)
        #expect(key.handshake.status == 400)
        #expect(key.handshake.json["code"] == "malformed_request")
    }

    @Test("The key of RFC 6455 gets the answer of RFC 6455")
    func accept() async throws {
        let stack = try await SharedStack.running(.trusted)
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat?roomId=\(Unique.name())",
            headers: [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])
        #expect(socket.handshake.status == 101)
        #expect(socket.handshake.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test("Only pages of allowed origins may connect; programs have none")
    func origins() async throws {
        let stack = try await SharedStack.running(.trusted)
        let allowed = "https://chat.example.org"
        try await stack.withServer(.webSocket, ["CHAT_ALLOWED_ORIGINS": allowed]) { server async throws in
            func status(_ headers: [(String, String)]) async throws -> Int {
                try await WebSocketTestClient.connect(
                    port: server.port, "/ws/chat?roomId=\(Unique.name())", headers: headers
                ).handshake.status
            }
            #expect(try await status([("Origin", allowed)]) == 101)
            #expect(try await status([]) == 101)
            for origin in [
                "https://evil.example", "https://chat.example.org.evil.example", "null", "http://chat.example.org",
            ] {
                #expect(try await status([("Origin", origin)]) == 403, "\(origin)")
            }
        }
    }

    @Test("HTTP connections beside it are kept alive")
    func keepAlive() async throws {
        let stack = try await SharedStack.running(.trusted)
        let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
        let answers = try await RawHTTP.exchange(
            port: stack.webSocketPort(), request + "\r\n" + request + "\r\n" + request + "Connection: close\r\n\r\n")
        #expect(answers.split(separator: "HTTP/1.1 200 OK").count == 3)
    }

    @Test("What is no HTTP is refused")
    func noHTTP() async throws {
        let stack = try await SharedStack.running(.trusted)
        let answer = try await RawHTTP.exchange(port: stack.webSocketPort(), "hello\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 400") || answer.isEmpty)
    }
}
