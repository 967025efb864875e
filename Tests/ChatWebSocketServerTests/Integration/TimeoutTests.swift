import ChatTestSupport
import Testing

/// How long the server waits for a peer. All at once, since it is long.
@Suite(.timeLimit(.minutes(2))) struct TimeoutTests {
    @Test
    func
        `a peer that answers no ping is dropped, one that does is kept, and an incomplete handshake is closed after 10 s`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let port = stack.webSocketPort()
        let target = "/ws/chat?roomId=\(Unique.name("timeout"))"
        let start = ContinuousClock.now
        async let cut: Duration = {
            _ = try await RawHTTP.exchange(port: port, "GET \(target) HTTP/1.1\r\nHost: localhost\r\n")
            return .now - start
        }()
        let silent = try await WebSocketTestClient.connect(port: port, target, answersPings: false)
        let polite = try await WebSocketTestClient.connect(port: port, target)
        // A ping is sent within 25 s, and must be answered within 10 s; the rest is a margin for a busy machine.
        try await silent.disconnected(within: .seconds(60))
        #expect(silent.pings == 1)
        #expect(.now - start >= .seconds(20))
        // Its ping may be due later than the other's drop.
        try await polite.ping()
        try await polite.send(["type": "ping"])
        try await polite.event(type: "pong")
        #expect(try await (Duration.seconds(9)...(.seconds(60))).contains(cut))
    }
}
