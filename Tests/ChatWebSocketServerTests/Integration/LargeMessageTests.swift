import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct LargeMessageTests {
    /// A body of exactly this number of bytes. Its payload is all quotes, each of which takes four bytes in an event.
    private static func body(_ roomID: String, bytes count: Int) -> [UInt8] {
        let head = #"{"roomId":"\#(roomID)","messageType":"rich_content","payload":{"q":""#
        let tail = #""}}"#
        let room = count - head.utf8.count - tail.utf8.count
        let text = head + String(repeating: #"\""#, count: room / 2) + tail
        return Array(text.utf8) + Array(repeating: UInt8(ascii: " "), count: count - text.utf8.count)
    }

    /// How many events a WebSocket server has read from the log.
    private static func readFromLog(_ server: RESTClient) async throws -> Int {
        let series = #"chat_events_received_total{from="log"} "#
        let lines = try await server.get("/metrics").require(200, "metrics").text.split(separator: "\n")
        return try #require(lines.first { $0.hasPrefix(series) }.flatMap { Int($0.dropFirst(series.count)) })
    }

    @Test func `a body of 64 KiB reaches every socket whole, live and on resume, and one byte more is refused`()
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("large")
        let sockets = [
            try await stack.readySocket(roomID, as: user, server: 0),
            try await stack.readySocket(roomID, as: user, server: 1),
        ]
        func post(_ count: Int) async throws -> RESTResponse {
            try await stack.messages().send(
                .post, "/api/v1/messages", as: user.credentials, headers: [("Content-Type", "application/json")],
                bytes: Self.body(roomID, bytes: count))
        }
        let servers = [stack.webSocket(0), stack.webSocket(1)]
        let before = [try await Self.readFromLog(servers[0]), try await Self.readFromLog(servers[1])]
        for seq in 1...3 as ClosedRange<Int64> {
            let posted = try await post(65_536)
            #expect(posted.status == 201)
            for socket in sockets {
                let event = try #require(try await socket.log(upTo: seq).last)
                #expect(event.without("eventType") == posted.json)
            }
        }
        // Were such events not taken from Redis, all would be read from the log. One that is late there may be, too.
        for (server, before) in zip(servers, before) {
            #expect(try await Self.readFromLog(server) - before < 3)
        }
        #expect(sockets[0].texts.last?.utf8.count ?? 0 > 100_000)
        let resumed = try await stack.readySocket(roomID, as: user, lastSeq: 0)
        #expect(try await resumed.log(upTo: 3) == sockets[0].log(upTo: 3))
        let refused = try await post(65_537)
        #expect(refused.status == 413)
        #expect(refused.code == "body_too_large")
    }
}
