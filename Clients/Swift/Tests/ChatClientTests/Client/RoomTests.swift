import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct RoomTests {
    let server = FakeServer()

    @Test func `a room that is listened to before one is a member is opened once one is`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let link = await server.link()
            await link.live()
            await client.reaches(.live)
            let notices = client.room("a").notices()
            // What is said next comes behind what the listening has said.
            await client.core.listen("b", by: 1)
            await client.room("b").typing()
            _ = await link.frame("typing")
            #expect(!link.types.contains("open"))
            await link.send(["eventType": "room_added", "room": roomFrame("a")])
            #expect(await link.frame("open")["roomId"]?.string == "a")
            _ = notices
        }
    }

    @Test func `an unread message from before the list that is deleted counts no more`() async throws {
        let client = try makeClient(server)
        server.answer { call in
            guard call.path == "/api/v1/messages/40" else { return HTTPAnswer(status: 503) }
            let message: JSONValue = ["messageId": 40, "roomId": "a", "seq": 4]
            return HTTPAnswer(status: 200, body: message.bytes)
        }
        try await running(client) { [server] in
            let link = await server.link()
            await link.live(rooms: [roomFrame("a", seq: 4, unread: 2)])
            await client.reaches(.live)
            for (seq, messageID) in [(5, 30), (6, 40)] as [(Int64, Int64)] {
                var frame = messageFrame("a", seq).object ?? [:]
                frame["eventType"] = "message_deleted"
                frame["messageId"] = JSONValue(messageID)
                frame["isDeleted"] = true
                await link.send(.object(frame))
            }
            for await list in client.roomLists where list.first?.unreadCount == 1 { break }
        }
        let asked = server.calls.map(\.path).filter { $0.hasPrefix("/api/v1/messages/") }
        #expect(asked == ["/api/v1/messages/30", "/api/v1/messages/40"])
    }
}
