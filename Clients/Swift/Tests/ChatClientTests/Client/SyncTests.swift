import Testing

@testable import ChatClient

/// Rooms that are opened while a connection syncs.
@Suite(.timeLimit(.minutes(1))) struct SyncTests {
    enum Moment: CaseIterable, Sendable { case beforeReady, beforeRooms, betweenPieces, afterRooms }

    let server = FakeServer()
    let store = MemoryChatStore()

    /// An earlier process stores a list whose room `a` is at 3.
    private func storeList(opening room: String? = nil) async throws {
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            if let room { await client.open(room) }
            try await server.link().live(rooms: [roomFrame("a", seq: 3), roomFrame("b", seq: 1)])
            await client.reaches(.live)
        }
    }

    private static func rooms(_ rooms: JSONValue..., isAll: Bool = false, isLast: Bool = true) -> JSONValue {
        [
            "eventType": "rooms", "rooms": .array(rooms), "removed": [], "isAll": .bool(isAll), "isLast": .bool(isLast),
        ]
    }

    @Test(arguments: Moment.allCases)
    func `a room that is opened during a sync shows no gap and misses nothing`(_ moment: Moment) async throws {
        try await storeList()
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            let link = try await server.link()
            if moment == .beforeReady { await client.open("a") }
            await link.send(readyFrame)
            let sync = await link.frame("sync")
            #expect(sync["rooms"]?["a"]?["seq"]?.integer == (moment == .beforeReady ? 3 : nil))
            if moment == .beforeRooms { await client.open("a") }
            await link.send(Self.rooms(roomFrame("b", seq: 2), isLast: false))
            if moment == .betweenPieces { await client.open("a") }
            await link.send(Self.rooms(roomFrame("a", seq: 5)))
            if moment == .afterRooms { await client.open("a") }
            // The server continues after 5 in rooms that `sync` did not name.
            if moment == .beforeReady {
                await link.send(messageFrame("a", 4), messageFrame("a", 5))
            }
            await link.send(messageFrame("a", 6), ["eventType": "synced", "cursor": "c2"], messageFrame("a", 7))
            #expect(client.connectionStates.value.state == .live)
            let room = client.room("a")
            #expect(room.states.value == .live)
            let first = moment == .beforeReady ? 4 : 6
            #expect(room.messages.value.items.map(\.message?.seq) == (first...7).map { Int64($0) })
            #expect(room.messages.value.hasMore)
        }
    }

    /// Its events follow in all rooms, whenever they were opened.

    @Test func `a room that is opened during the sync of a stream gets what the stream sends`() async throws {
        try await storeList()
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            let link = try await server.stream()
            #expect(link.request.path == "/sse/user?cursor=c1")
            await link.send(readyFrame)
            await client.open("a")
            await link.send(Self.rooms(roomFrame("a", seq: 5)), messageFrame("a", 4), messageFrame("a", 5))
            await link.send(["eventType": "synced", "cursor": "c2"])
            #expect(client.room("a").states.value == .live)
            #expect(client.room("a").messages.value.items.map(\.text) == ["4", "5"])
        }
    }

    @Test func `an event that the list includes already may come after the rest`() async throws {
        try await storeList(opening: "a")
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            await client.open("a")
            let link = try await server.link()
            await link.send(readyFrame)
            #expect(await link.frame("sync")["rooms"]?["a"]?["seq"] == 3)
            await link.send(
                Self.rooms(roomFrame("a", seq: 5)), messageFrame("a", 4), ["eventType": "synced", "cursor": "c2"],
                messageFrame("a", 5))
            #expect(client.room("a").messages.value.items.map(\.text) == ["4", "5"])
        }
    }

    @Test func `where a server has forgotten the cursor of a stream, rooms go on at their heads`() async throws {
        try await storeList(opening: "a")
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            await client.open("a")
            let link = try await server.stream()
            await link.send(
                readyFrame, Self.rooms(roomFrame("a", seq: 9), isAll: true), ["eventType": "synced", "cursor": "c2"],
                messageFrame("a", 10))
            #expect(client.connectionStates.value.state == .live)
            #expect(client.room("a").messages.value.items.map(\.text) == ["10"])
        }
    }

    static let malformed: [JSONValue] = [
        ["eventType": "rooms", "rooms": [["roomId": "b", "lastSeq": -1]]],
        ["eventType": "rooms", "rooms": [["roomId": "b"]]],
        ["eventType": "room_added", "room": ["roomId": "b", "lastSeq": "1"]],
        ["eventType": "room_added", "room": ["roomId": "b", "lastSeq": 9_223_372_036_854_775_807]],
        ["eventType": "room_reset", "roomId": "a", "seq": 1, "mark": "m", "room": ["roomId": "a"]],
        ["eventType": "room_reset", "roomId": "a", "mark": "m", "room": roomFrame("a", seq: 1)],
        ["eventType": "room_skipped", "roomId": "a", "seq": -5, "mark": "m"],
        ["eventType": "room_skipped", "roomId": "a", "mark": "m"],
    ]

    @Test(arguments: malformed) func `a position that is none is a protocol error`(_ frame: JSONValue) async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let messages = ["a", "b"].map { client.room($0).messages }
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 3)])
            for await state in client.room("a").states where state == .live { break }
            await link.send(frame)
            await client.reaches(.connecting, .protocol)
            let sync = await (try server.link()).live(rooms: [roomFrame("a", seq: 3)])
            #expect(sync["rooms"]?["a"]?["seq"] == 3)
            #expect(sync["rooms"]?["b"] == nil)
            _ = messages
        }
    }

    @Test(arguments: [
        #"{"cursor":"c","rooms":{}}"#, #"{"cursor":"c"}"#, #"{"cursor":"c","rooms":[7]}"#,
        #"{"cursor":"c","rooms":[{"room":{"roomId":"a","lastSeq":-1}}]}"#,
        #"{"cursor":"c","rooms":[{"room":{"roomId":"a"}}]}"#, "[]", "null",
    ])
    func `a stored list of another form is absent, with its cursor`(_ text: String) async throws {
        let store = MemoryChatStore()
        try await store.step { $0.set("v1/system.test:80/1/list", Array(text.utf8)) }
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            let sync = try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            #expect(sync["cursor"] == nil)
            #expect(client.roomLists.value.map(\.lastSeq) == [3])
        }
    }
}
