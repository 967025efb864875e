import Testing

@testable import ChatClient

/// Calls that are made once, and what connects them to the one connection.
@Suite(.timeLimit(.minutes(1))) struct CallTests {
    let server = FakeServer()

    @Test func `calls are those of the interface`() async throws {
        let client = try makeClient(server)
        server.answer { call in
            let answer: JSONValue =
                if call.path.contains("public") || call.path.contains("users?") || call.path.contains("members") {
                    ["items": [["roomId": "b", "userId": 2, "role": "owner"]], "nextCursor": "n"]
                } else if call.path.hasPrefix("/api/v1/messages") {
                    messageFrame("a", 1)
                } else {
                    ["roomId": "b", "userId": 2, "displayName": "Bob"]
                }
            return ClientResponse(status: 200, body: answer.bytes)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let room = client.room("a")
            #expect(try await client.createRoom(name: "R", type: "group", memberIDs: [2]).roomID == "b")
            #expect(try await client.joinRoom("b").roomID == "b")
            let rooms = try await client.findRooms("a&b", cursor: "c=")
            #expect(rooms.items.map(\.roomID) == ["b"])
            #expect(rooms.nextCursor == "n")
            #expect(try await client.findUsers("bo").items.map(\.userID) == [2])
            #expect(try await client.user(2).displayName == "Bob")
            #expect(try await client.profile().userID == 2)
            #expect(try await room.members(cursor: "c").items.map(\.role) == ["owner"])
            #expect(try await room.edit(10, ["text": "new"]).messageID == 10)
            try await room.delete(10)
            try await room.leave()
        }
        let made = server.calls.map { "\($0.method.rawValue) \($0.server.host) \($0.path)" }
        #expect(
            made == [
                "POST system.test /api/v1/rooms", "POST system.test /api/v1/rooms/b/join",
                "GET system.test /api/v1/rooms/public?query=a%26b&cursor=c%3D",
                "GET system.test /api/v1/users?query=bo",
                "GET system.test /api/v1/users/2", "GET system.test /api/v1/users/me",
                "GET system.test /api/v1/rooms/a/members?cursor=c", "PATCH messages.test /api/v1/messages/10",
                "DELETE messages.test /api/v1/messages/10", "POST system.test /api/v1/rooms/a/leave",
            ])
        let bodies = server.calls.compactMap(\.body).map { try? JSONParser.parse($0) }
        #expect(bodies == [["name": "R", "type": "group", "memberIds": [2]], ["payload": ["text": "new"]]])
    }

    @Test func `a pause ends when that is wanted, and a network that is back is tried`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            try await server.link().refuse(ClientResponse(status: 503, headers: ["retry-after": "300"]))
            await client.reaches(.offline, .busy)
            #expect((299_000...300_000).contains(client.connectionStates.value.retryInMilliseconds ?? 0))
            await client.retryNow()
            let link = try await server.link()
            await link.live()
            await client.reaches(.live)
            await client.networkIsBack()
            _ = await link.frame("ping")
        }
    }

    @Test func `users and servers never meet in a store`() async throws {
        let store = MemoryChatStore()
        let elsewhere = try ChatConfiguration(
            system: "http://other.test", messages: "http://messages.test", sockets: "http://sockets.test", userID: 1)
        let other = try makeClient(server, userID: 2, store: store) { _ in token(of: 2) }
        let first = try makeClient(server, store: store)
        let clients = [
            first, other,
            ChatClient(
                core: ChatCore(
                    configuration: elsewhere, tokens: { _ in token(of: 1) }, store: store, transport: server,
                    logger: first.core.logger)),
        ]
        for (number, client) in clients.enumerated() {
            try await client.room("a").post(MessageContent(text: "\(number)"), key: "k").kept()
            #expect(client.outbox.value.map(\.payload) == [["text": .string("\(number)")]])
        }
        try await other.forget(evenUnsent: true)
        #expect(store.contents.keys.filter { $0.contains("/outbox/") }.count == 2)
    }
}
