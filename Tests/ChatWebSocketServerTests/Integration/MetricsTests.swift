import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct MetricsTests {
    /// The contract's names, by who has them.
    private static let common = [
        "http_server_request_duration_seconds", "chat_postgres_pool", "chat_postgres_query_seconds",
        "chat_postgres_reconnects_total", "chat_redis_reconnects_total",
    ]
    private static let publishing = ["chat_events_published_total", "chat_events_publish_failures_total"]
    private static let storing = [
        "chat_messages_stored_total", "chat_message_batch_size", "chat_message_commit_seconds",
    ]
    private static let delivering = [
        "chat_sessions", "chat_rooms_with_sessions", "chat_frames_sent_total", "chat_frame_bytes_sent_total",
        "chat_delivery_seconds", "chat_events_received_total", "chat_feed_holes_total", "chat_events_invalid_total",
        "chat_sessions_closed_total", "chat_redis_subscription_up",
    ]

    /// The names for which the text declares a type.
    private static func names(of client: RESTClient) async throws -> (text: String, names: Set<String>) {
        let answer = try await client.get("/metrics").require(200, "metrics")
        #expect(answer.header("Content-Type")?.hasPrefix("text/plain") == true)
        let names = answer.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
            .compactMap { $0.split(separator: " ").dropFirst(2).first.map(String.init) }
        return (answer.text, Set(names))
    }

    /// A rate of a series needs its zero, too.
    @Test(arguments: [
        (ServerKind.system, publishing, ["registrations", "logins_per_account", "logins_per_address"]),
        (.message, publishing + storing, ["posts"]),
        (.webSocket, publishing + delivering, ["frames", "sockets", "sockets_per_user", "sockets_per_address"]),
    ])
    func `an idle server exports the same names, limits and states`(
        _ kind: ServerKind, _ expected: [String], _ limits: [String]
    ) async throws {
        let stack = try await SharedStack.running(.trusted)
        try await stack.withServer(kind) { server async throws in
            let client = RESTClient(baseURL: server.url)
            try await client.waitForAnswer("/health/ready", 200) { $0.json["status"] == "ok" }
            let (text, names) = try await Self.names(of: client)
            let missing = Set(Self.common + expected + ["chat_rate_limited_total"]).subtracting(names)
            #expect(missing.isEmpty, "lacks \(missing.sorted())")
            for limit in limits { #expect(text.contains(#"chat_rate_limited_total{limit="\#(limit)"} 0"#)) }
            #expect(text.contains(#"chat_postgres_pool{state="#))
        }
    }

    @Test func `all names of the contract are present after some traffic`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("metrics")
        let socket = try await stack.readySocket(roomID, as: user)
        try await stack.say("Hello", in: roomID, as: user)
        try await stack.system.post("/api/v1/rooms", ["name": "x", "type": "group"], as: user.credentials)
            .require(201, "make a room")
        try await socket.event(type: "message")
        try await stack.readySocket(roomID, as: user).close()

        for (client, expected) in [
            (stack.system, Self.common + Self.publishing),
            (stack.messages(), Self.common + Self.publishing + Self.storing),
            (stack.webSocket(), Self.common + Self.delivering),
        ] {
            let names = try await Self.names(of: client).names
            let missing = Set(expected).subtracting(names)
            #expect(missing.isEmpty, "\(client.baseURL) lacks \(missing.sorted())")
        }
        let text = try await Self.names(of: stack.webSocket()).text
        #expect(text.contains(#"chat_sessions{state="live"}"#))
        #expect(text.contains(#"chat_sessions{state="catching_up"}"#))
        #expect(text.contains(#"chat_events_received_total{from="redis"}"#))
        #expect(text.contains(#"chat_sessions_closed_total{code="1000"}"#))
        #expect(text.contains("chat_redis_subscription_up 1"))
        let requests = try await Self.names(of: stack.messages()).text
        #expect(
            requests.split(separator: "\n").contains { line in
                line.hasPrefix("http_server_request_duration_seconds_count") && line.contains(#"method="POST""#)
                    && line.contains(#"route="/api/v1/messages""#) && line.contains(#"status="201""#)
            })
        // Rooms and users are no labels: their number has no bound.
        #expect(!text.contains(roomID))
        #expect(!requests.contains(roomID))
        withExtendedLifetime(socket) {}
    }
}
