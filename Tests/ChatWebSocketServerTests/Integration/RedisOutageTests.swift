import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RedisOutageTests {
    @Test
    func `without Redis readiness is degraded, posts are accepted and delivery reads the log, until Redis is back`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        // A separate Redis, since it is stopped.
        let redis = try await LocalRedis.ephemeral()
        do {
            try await stack.withServer(.message, ["CHAT_REDIS_URL": redis.url]) { messageServer async throws in
                try await stack.withServer(.webSocket, ["CHAT_REDIS_URL": redis.url]) { webSocketServer async throws in
                    try await Self.play(stack, redis, messageServer, webSocketServer)
                }
            }
        } catch {
            try? await redis.stop()
            throw error
        }
        try await redis.stop()
    }

    private static func play(
        _ stack: SharedStack, _ redis: LocalRedis, _ messageServer: LocalServer, _ webSocketServer: LocalServer
    ) async throws {
        let messages = RESTClient(baseURL: messageServer.url)
        let webSocket = RESTClient(baseURL: webSocketServer.url)
        let user = try await stack.user()
        let roomID = Unique.name("outage")
        let socket = try await stack.readySocket(roomID, as: user, port: webSocketServer.port)
        func post(_ text: String) async throws {
            try await messages.post("/api/v1/messages", SharedStack.post(text, in: roomID), as: user.credentials)
                .require(201, "post")
        }
        try await post("before")
        #expect(try await socket.log(upTo: 1).count == 1)

        try await redis.kill()
        for (client, check) in [(messages, "redis"), (webSocket, "redis_subscription")] {
            let ready = try await client.waitForAnswer("/health/ready", 200) { $0.json["status"] == "degraded" }
            #expect(ready.json["checks"]?["postgres"] == "ok")
            #expect(ready.json["checks"]?[check]?.string != "ok")
        }
        for index in 0..<3 {
            try await post("during \(index)")
            #expect(try await socket.log(upTo: Int64(index) + 2).count == index + 2)
        }
        let newcomer = try await stack.readySocket(roomID, as: user, lastSeq: 1, port: webSocketServer.port)
        #expect(try await newcomer.log(upTo: 4).map { $0["seq"]?.int } == [2, 3, 4])

        try await redis.start()
        for client in [messages, webSocket] {
            try await client.waitForAnswer("/health/ready", 200) { $0.json["status"] == "ok" }
        }
        try await post("after")
        let log = try await socket.log(upTo: 5)
        #expect(log.map { $0["seq"]?.int } == [1, 2, 3, 4, 5])
        #expect(try await newcomer.log(upTo: 5).map { $0["seq"]?.int } == [2, 3, 4, 5])
        // From Redis again, not from the log: only Redis carries events without seq.
        try await RedisPublisher(port: redis.port).publish("chat:room:\(roomID)", ["eventType": "end"])
        try await socket.event(type: "end")
    }
}
