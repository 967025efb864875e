import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct PostLimitTests {
    @Test func `posts, edits and deletions of a user count together, apart from other users`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = Unique.name("limit")
        try await stack.withServer(.message, ["CHAT_LIMIT_POSTS": "1/m"]) { server in
            let messages = RESTClient(baseURL: server.url)
            let post = SharedStack.post("Hello", in: roomID)
            let first = try await messages.post("/api/v1/messages", post, as: user.credentials).require(201, "post")
            let path = "/api/v1/messages/\(first.json["messageId"]?.int ?? 0)"
            let edit: JSON = ["payload": ["text": "x"]]
            // A request that is refused for another reason has been looked at, and counts.
            try await messages.post("/api/v1/messages", [:], as: user.credentials).require(422, "bad post")
            try await messages.send(.patch, path, edit, as: user.credentials).require(200, "edit")
            for _ in 0..<2 { try await messages.send(.delete, path, as: user.credentials).require(204, "delete") }

            let refused = [
                try await messages.post("/api/v1/messages", post, as: user.credentials),
                try await messages.send(.patch, path, edit, as: user.credentials),
                try await messages.send(.delete, path, as: user.credentials),
                // The body is not even looked at.
                try await messages.send(.post, "/api/v1/messages", as: user.credentials, bytes: [0xFF]),
            ]
            for answer in refused {
                #expect(answer.status == 429)
                #expect(answer.code == "rate_limited")
                #expect(answer.header("Content-Type") == "application/problem+json")
                let seconds = try #require(answer.header("Retry-After").flatMap { Int($0) })
                #expect((1...60).contains(seconds))
            }
            try await messages.post("/api/v1/messages", post, as: other.credentials).require(201, "post")
            try await messages.get(path, as: user.credentials).require(200, "read")
            let metrics = try await messages.get("/metrics").text
            #expect(metrics.contains(#"chat_rate_limited_total{limit="posts"} 4"#), "\(metrics)")
        }
    }
}
