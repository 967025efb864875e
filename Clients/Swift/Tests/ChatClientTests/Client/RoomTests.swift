import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct RoomTests {
    let server = FakeServer()

    @Test func `a room that is listened to before one is a member is opened once one is`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live()
            await client.reaches(.live)
            let notices = client.room("a").notices()
            // The next frame comes after those that the consumer has caused.
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
            guard call.path == "/api/v1/messages/40" else { return ClientResponse(status: 503) }
            let message: JSONValue = ["messageId": 40, "roomId": "a", "seq": 4]
            return ClientResponse(status: 200, body: message.bytes)
        }
        try await running(client) { [server] in
            let link = try await server.link()
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

    private static func page(_ call: HTTPCall, from seq: Int64, through last: Int64, hasMore: Bool) -> ClientResponse {
        let items = (seq...last).map { messageFrame("a", $0) }
        return ClientResponse(
            status: 200, body: (["items": .array(items), "hasMore": .bool(hasMore)] as JSONValue).bytes)
    }

    @Test func `older messages are loaded once it is known where the log is`() async throws {
        let client = try makeClient(server)
        server.answer { call in Self.page(call, from: 1, through: 5, hasMore: false) }
        try await running(client) { [server] in
            let link = try await server.link()
            let older = Task { try await client.room("a").loadOlder() }
            await link.live(rooms: [roomFrame("a", seq: 5)])
            let hasMore = try await older.value
            #expect(!hasMore)
            #expect(client.room("a").messages.value.items.map(\.text) == ["1", "2", "3", "4", "5"])
        }
        #expect(server.calls.map(\.path) == ["/api/v1/rooms/a/messages?before=6&limit=50"])
    }

    @Test(arguments: [true, false]) func `waiting for the log of a room ends`(_ byRemoval: Bool) async throws {
        let client = try makeClient(server)
        // The log is known for a moment before the room is lost, and the first page can be asked for in it.
        server.answer { _ in
            ClientResponse(status: 200, body: JSONValue.object(["items": [], "hasMore": false]).bytes)
        }
        let waiting = try await running(client) { [server] in
            let link = try await server.link()
            let waiting = Task { try await client.room("a").loadOlder() }
            try await until { client.core.sources.of("a").changes.waiterCount == 1 }
            await link.live(rooms: byRemoval ? [roomFrame("a", seq: 5)] : [])
            if byRemoval { await link.send(["eventType": "room_removed", "roomId": "a", "reason": "left"]) }
            if byRemoval { #expect(try await waiting.value == false) }
            return waiting
        }
        guard !byRemoval else { return }
        let error = await #expect(throws: ChatError.self) { try await waiting.value }
        #expect(error?.code == .closed)
    }

    @Test func `a page that is under way is waited for, also where it fails`() async throws {
        let client = try makeClient(server)
        let isAnswered = LatestValue(false)
        let count = NIOLockedValueBox(0)
        server.answer { call in
            let number = count.increment()
            for await isAnswered in LatestValues(source: isAnswered) where isAnswered { break }
            return number == 1 ? ClientResponse(status: 503) : Self.page(call, from: 3, through: 5, hasMore: true)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 5)])
            let room = client.room("a")
            for first in [true, false] {
                isAnswered.set(false)
                let one = Task { try await room.loadOlder(3) }
                try await until { server.calls.count == (first ? 1 : 2) }
                let two = Task { try await room.loadOlder(3) }
                try await until { client.core.sources.of("a").changes.waiterCount == 1 }
                isAnswered.set(true)
                if first {
                    await #expect(throws: ChatError.self) { try await one.value }
                } else {
                    #expect(try await one.value)
                }
                #expect(try await two.value)
                #expect(room.messages.value.items.count == (first ? 0 : 3))
            }
        }
        #expect(count.withLockedValue { $0 } == 2)
    }

    @Test func `what was sent before it is known where the log is is among older messages`() async throws {
        let client = try makeClient(server)
        server.answer { call in
            call.method == .post
                ? PostTests.stored(call, seq: 6) : Self.page(call, from: 5, through: 6, hasMore: true)
        }
        try await running(client) { [server] in
            let link = try await server.link()
            let room = client.room("a")
            let messages = room.messages
            try await room.send("six")
            // The list comes with the message in it: the log begins after it.
            await link.live(rooms: [roomFrame("a", seq: 6)])
            for await state in room.states where state == .live { break }
            #expect(messages.value.items.isEmpty)
            #expect(messages.value.hasMore)
            try await room.loadOlder()
            #expect(messages.value.items.map(\.message?.seq) == [5, 6])
        }
    }

    @Test func `too much that was missed is reported, and what lies between is older`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 5)])
            let room = client.room("a")
            for await messages in room.messages where messages.hasMore { break }
            var notices = room.notices().makeAsyncIterator()
            await link.send(["eventType": "room_skipped", "roomId": "a", "seq": 20_000, "mark": "m"])
            #expect(await notices.next() == .skipped(after: 5, through: 20_000))
            await link.send(messageFrame("a", 20_001))
            #expect(room.messages.value.items.map(\.message?.seq) == [20_001])
            #expect(room.messages.value.hasMore)
        }
    }

    @Test func `a read mark from before it is known whose it is, is kept and reported`() async throws {
        let store = MemoryChatStore()
        let client = try makeClient(server, userID: nil, store: store)
        await client.room("a").markRead(4)
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 4, unread: 4)])
            #expect(await link.frame("read")["seq"]?.integer == 4)
            #expect(store.contents.keys.contains { $0.contains("/1/read/a") })
        }
    }

    @Test func `read marks are kept until the server has them`() async throws {
        let store = MemoryChatStore()
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            var link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 4, unread: 4)])
            await client.reaches(.live)
            await client.room("a").markRead()
            #expect(client.roomLists.value.first?.unreadCount == 0)
            #expect(await link.frame("read")["seq"]?.integer == 4)
            link.close()
            link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 4, unread: 4)])
            #expect(await link.frame("read")["seq"]?.integer == 4)
            await link.send([
                "eventType": "room_changed", "roomId": "a", "lastReadSeq": 4, "unreadCount": 0, "lastSeq": 4,
            ])
            #expect(!store.contents.keys.contains { $0.contains("/read/") })
        }
    }

    @Test func `many read marks are sent at the pace that servers allow`() async throws {
        let client = try makeClient(server)
        let ids = (0..<25).map { "r\($0)" }
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: ids.map { roomFrame($0, seq: 4) })
            await client.reaches(.live)
            let took = try await ContinuousClock().measure {
                for id in ids { await client.room(id).markRead() }
                try await until { link.types.count { $0 == "read" } == 25 }
            }
            #expect(took > .milliseconds(900))
        }
    }

    @Test func `at most fifty rooms are open, on the next connection as well`() async throws {
        let client = try makeClient(server)
        let ids = (0...50).map { "r\($0)" }
        try await running(client) { [server] in
            var link = try await server.link()
            await link.live(rooms: ids.map { roomFrame($0) })
            await client.reaches(.live)
            for id in ids { await client.core.listen(id, by: 1) }
            #expect(await link.frame("close")["roomId"]?.string == "r0")
            try await until { link.types.count { $0 == "open" } == 51 }
            link.close()
            link = try await server.link()
            await link.live(rooms: ids.map { roomFrame($0) })
            await client.room("r0").typing()
            _ = await link.frame("typing")
            #expect(link.types.count { $0 == "open" } == 50)
        }
    }
}
