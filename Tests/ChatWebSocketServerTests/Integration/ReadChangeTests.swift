import ChatLocalStack
import ChatTestSupport
import Testing

/// What the WebSocket server publishes to the user sockets of those who read over a room's socket.
@Suite(.timeLimit(.minutes(2))) struct ReadChangeTests {
    @Test func `a mark that moves by a frame is published to the user's servers at once, and to no room socket`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user, with: [other])
        for number in 1...3 { try await stack.say("\(number)", in: roomID, as: user) }
        let socket = try await stack.readySocket(roomID, as: other)
        try await RedisListener.listening(
            port: stack.processes.redis.port, pattern: "chat:user:\(other.userID)"
        ) { listener in
            // One at a time: of frames that wait only the last is carried out.
            for seq in Int64(1)...3 {
                try await socket.send(["type": "read", "seq": .integer(seq)])
                let published = try await listener.publications.first(Int(seq))
                #expect(
                    published.last?.json == [
                        "eventType": "user_state", "userId": .integer(other.userID), "version": .integer(1 + seq),
                        "roomId": .string(roomID), "change": "read", "seq": .integer(seq),
                    ])
            }
            try await socket.send(["type": "read", "seq": 3])
            try await socket.send(["type": "ping"])
            try await socket.event(type: "pong")
            #expect(listener.publications.all.count == 3)
        }
        #expect(!socket.events.contains { $0["eventType"] == "user_state" })
    }
}
