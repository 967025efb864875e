import ChatLocalStack
import ChatTestSupport
import Testing

/// `ChatWebSocketServer echo` through a real socket; `scripts/websocket-conformance` asks for much more.
@Suite(.timeLimit(.minutes(2))) struct EchoServerTests {
    private func withServer(_ body: (Int) async throws -> Void) async throws {
        let port = try FreePort.next()
        var environment = ChildEnvironment.inherited
        environment["CHAT_PORT"] = String(port)
        let server = try LocalProcess(
            .init("\(BuildFolder.current)/ChatWebSocketServer", ["echo"], environment: environment))
        defer { server.kill() }
        var isReady = false
        let deadline = ContinuousClock.now + .seconds(20)
        while !isReady, server.isRunning, ContinuousClock.now < deadline {
            isReady = (try? HTTPProbe.get(port: port, path: "/health/ready", timeout: .seconds(2)).status) == 200
            if !isReady { try await Task.sleep(for: .milliseconds(20)) }
        }
        try #require(isReady)
        try await body(port)
        #expect(try await server.stop() == .exited(0))
    }

    @Test func `text is echoed, permessage-deflate is declined, and a compressed frame is an error`() async throws {
        try await withServer { port in
            let socket = try await WebSocketTestClient.connect(
                port: port, "/any/path",
                headers: [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")])
            #expect(socket.handshake.status == 101)
            #expect(socket.handshake.header("Sec-WebSocket-Extensions") == nil)
            let texts = [#"{"n":1}"#, "\"" + String(repeating: "ä", count: 32_767) + "\""]
            for text in texts { try await socket.send(.text(text)) }
            _ = try await socket.events(2)
            #expect(socket.texts == texts)
            var compressed = WebSocketTestFrame.text(texts[0])
            compressed.reserved = 4
            try await socket.send(compressed)
            #expect(try await socket.closeFrame().code == 1002)
            try await socket.disconnected()

            let polite = try await WebSocketTestClient.connect(port: port, "/")
            #expect(try await polite.close(3_000).code == 3_000)
            #expect(polite.faults.isEmpty)
        }
    }

    @Test func `the echo server listens on loopback addresses only`() async throws {
        var environment = ChildEnvironment.inherited
        environment["CHAT_HOST"] = "0.0.0.0"
        let server = try LocalProcess(
            .init("\(BuildFolder.current)/ChatWebSocketServer", ["echo"], environment: environment))
        #expect(try await server.waitForExit() == .exited(78))
    }
}
