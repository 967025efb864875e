import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import NIOCore
import Testing

/// Requests that are no WebSocket handshake, or not one for this path, get an HTTP response.
@Suite(.timeLimit(.minutes(2))) struct HandshakeTests {
    @Test func `a handshake for another path is not found`() async throws {
        let stack = try await SharedStack.running(.trusted)
        for path in ["/ws", "/ws/chat/", "/", "/ws/other?roomId=r"] {
            let answer = try await WebSocketTestClient.connect(port: stack.webSocketPort(), path).handshake
            #expect(answer.status == 404, "\(path)")
            #expect(answer.json["code"] == "not_found")
            #expect(answer.header("Content-Type") == "application/problem+json")
        }
    }

    @Test func `a plain GET requires an upgrade`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let answer = try await stack.webSocket().get("/ws/chat?roomId=r")
        #expect(answer.status == 426)
        #expect(answer.code == "upgrade_required")
        #expect(answer.header("Upgrade") == "websocket")
        #expect(answer.header("Content-Type") == "application/problem+json")
    }

    @Test func `only GET is allowed`() async throws {
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

    @Test func `a wrong version and a wrong key are refused`() async throws {
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

    @Test func `X-On-Behalf-Of without a server's key is refused over HTTP, with one by the socket`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let key = try await stack.key(.messages)
        for path in ["/ws/chat?roomId=\(Unique.name())", "/ws/user"] {
            for credentials in [[], [("Authorization", "Bearer \(user.token ?? "")")]] {
                let answer = try await WebSocketTestClient.connect(
                    port: stack.webSocketPort(), path, headers: credentials + TestKey.onBehalf(of: user)
                ).handshake
                #expect(answer.status == 400 && answer.json["code"] == "malformed_request", "\(path)")
            }
            let socket = try await WebSocketTestClient.connect(
                port: stack.webSocketPort(), path,
                headers: [("Authorization", "Bearer \(key.text)")] + TestKey.onBehalf(of: user))
            #expect(try await socket.refusal()?.code == 4401, "\(path)")
        }
    }

    @Test func `the key of RFC 6455 gets the answer of RFC 6455`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let socket = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/chat?roomId=\(Unique.name())",
            headers: [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])
        #expect(socket.handshake.status == 101)
        #expect(socket.handshake.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test func `pages of allowed origins may connect, and programs without an origin`() async throws {
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

    @Test func `a client that has closed its output still gets its HTTP response`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let answer = try await RawHTTP.exchange(port: stack.webSocketPort(), request, endsOutput: true)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test func `HTTP connections beside sockets are kept alive`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n"
        let answers = try await RawHTTP.exchange(
            port: stack.webSocketPort(), request + "\r\n" + request + "\r\n" + request + "Connection: close\r\n\r\n")
        #expect(answers.split(separator: "HTTP/1.1 200 OK").count == 3)
    }

    @Test(arguments: ["hello\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}", "GET /ws/chat\r\n\r\n"])
    func `bytes that are no HTTP are refused at once`(_ text: String) async throws {
        let stack = try await SharedStack.running(.trusted)
        let answer = try await RawHTTP.exchange(port: stack.webSocketPort(), text)
        #expect(answer.hasPrefix("HTTP/1.1 400"))
    }

    @Test func `a head that is too long is refused`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let head = "GET /ws/chat?roomId=r HTTP/1.1\r\nHost: localhost\r\nCookie: "
        let answer = try await RawHTTP.exchange(
            port: stack.webSocketPort(), head + String(repeating: "x", count: 20_000) + "\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 4"))
    }

    @Test func `a handshake with a body is refused, and one after another request, too`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let handshake = Self.handshake(Unique.name(), end: "Connection: close\r\n")
        let second = try await RawHTTP.exchange(
            port: stack.webSocketPort(), "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" + handshake)
        #expect(second.hasPrefix("HTTP/1.1 200"))
        #expect(second.contains("HTTP/1.1 426") && second.contains("upgrade_required"))
        let body = try await RawHTTP.exchange(
            port: stack.webSocketPort(),
            Self.handshake(Unique.name(), end: "Content-Length: 2\r\nConnection: close\r\n") + "xx")
        #expect(body.hasPrefix("HTTP/1.1 426"))
    }

    /// The head may come in pieces, and the client need not wait for the answer before it sends frames.
    @Test(arguments: [1, 50, .max])
    func `frames that follow the handshake at once are not lost`(chunk: Int) async throws {
        let stack = try await SharedStack.running(.trusted)
        let bytes =
            Array(Self.handshake(Unique.name()).utf8) + WebSocketTestFrame.text(#"{"type":"ping"}"#).bytes
            + WebSocketTestFrame.close(1000).bytes
        var answer = try await RawHTTP.exchange(port: stack.webSocketPort(), bytes: bytes, chunk: chunk)
        let close = answer.getBytes(at: answer.writerIndex - 4, length: 4)
        #expect(close == [0x88, 0x02, 0x03, 0xE8])
        let text = answer.readString(length: answer.readableBytes - 4) ?? ""
        #expect(text.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        let ready = try #require(text.range(of: #""eventType":"ready""#))
        #expect(text[ready.upperBound...].contains(#""eventType":"pong""#))
    }

    private static func handshake(_ roomID: String, end: String = "") -> String {
        "GET /ws/chat?roomId=\(roomID) HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(end)\r\n"
    }
}
