import ChatLocalStack
import ChatTestSupport
import Testing

/// `CHAT_REDIS_SUBSCRIBE=room`.
@Suite(.timeLimit(.minutes(2))) struct RoomSubscriptionTests {
    @Test
    func
        `a room is subscribed before its first session is ready, again after an outage of Redis, and unsubscribed later`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        // A separate Redis, so that this server is the only receiver.
        let redis = try await LocalRedis.ephemeral()
        do {
            let environment = ["CHAT_REDIS_URL": redis.url, "CHAT_REDIS_SUBSCRIBE": "room"]
            try await stack.withServer(.message, environment) { messageServer async throws in
                try await stack.withServer(.webSocket, environment) { server async throws in
                    try await Self.play(stack, redis, RESTClient(baseURL: messageServer.url), server)
                }
            }
        } catch {
            try? await redis.stop()
            throw error
        }
        try await redis.stop()
    }

    private static func play(
        _ stack: SharedStack, _ redis: LocalRedis, _ messages: RESTClient, _ server: LocalServer
    ) async throws {
        let http = RESTClient(baseURL: server.url)
        try await http.waitForAnswer("/health/ready", 200) { $0.json["status"] == "ok" }
        let publisher = RedisPublisher(port: redis.port)
        let user = try await stack.user()
        let (roomID, empty) = (Unique.name("room"), Unique.name("empty"))
        func publish(_ type: String, to room: String) async throws -> Int64 {
            Int64(try await publisher.publish("chat:room:\(room)", ["eventType": .string(type)]))
        }
        #expect(try await publish("nobody", to: roomID) == 0)

        let socket = try await stack.readySocket(roomID, as: user, port: server.port)
        #expect(try await publish("one", to: roomID) == 1)
        #expect(try await publish("one", to: empty) == 0)
        try await socket.event(type: "one")
        // Channels of users are subscribed in either mode.
        try await publisher.publish("chat:user:\(user.userID)", ["eventType": "mine"])
        try await socket.event(type: "mine")
        let post = SharedStack.post("hello", in: roomID)
        try await messages.post("/api/v1/messages", post, as: user.credentials).require(201, "post")
        #expect(try await socket.log(upTo: 1).count == 1)

        try await redis.restart()
        // Readiness may be older than the subscription: an event published before the room is subscribed has no receiver.
        let giveUp = ContinuousClock.now + .seconds(20)
        var receivers: Int64 = 0
        while receivers == 0, ContinuousClock.now < giveUp {
            receivers = try await publish("two", to: roomID)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(receivers == 1)
        try await socket.event(type: "two")

        let other = try await stack.readySocket(roomID, as: user, port: server.port)
        try await socket.close()
        #expect(try await publish("three", to: roomID) == 1)
        try await other.event(type: "three")
        try await other.close()
        // A client that lost its socket returns soon, so the subscription is kept for some time.
        #expect(try await publish("four", to: roomID) == 1)
        let deadline = ContinuousClock.now + .seconds(30)
        while try await publish("five", to: roomID) > 0 {
            try #require(ContinuousClock.now < deadline, "the room is still subscribed to")
            // Only asking shows that a server no longer subscribes.
            try await Task.sleep(for: .milliseconds(250))
        }
        let late = try await stack.readySocket(roomID, as: user, port: server.port)
        #expect(try await publish("six", to: roomID) == 1)
        try await late.event(type: "six")
    }
}
