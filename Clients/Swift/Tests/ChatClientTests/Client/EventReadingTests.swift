import Testing

@testable import ChatClient

/// The events of `events(…)`.
@Suite(.timeLimit(.minutes(1))) struct EventReadingTests {
    let server = FakeServer()

    @Test(arguments: [400, 410, 413, 422])
    func `a reader ends at an answer that cannot change`(_ status: Int) async throws {
        let client = try makeClient(server)
        server.answer { _ in ClientResponse(status: status, body: Array(#"{"code":"validation_failed"}"#.utf8)) }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            var events = client.room("a").events(after: 1, mark: "?").makeAsyncIterator()
            let error = await #expect(throws: ChatError.self) { try await events.next() }
            #expect(error?.code == "validation_failed")
            #expect(error?.status == status)
            #expect(server.calls.filter { $0.path.contains("/events") }.count == 1)
            let end = try await events.next()
            #expect(end == nil)
        }
    }

    @Test(arguments: [408, 425, 429, 500, 503])
    func `a reader waits over an answer that can change`(_ status: Int) async throws {
        let client = try makeClient(server)
        let count = LatestValue(0)
        server.answer { _ in
            count.set(count.value + 1)
            guard count.value > 2 else { return ClientResponse(status: status) }
            let items: JSONValue = .array((1...3).map { messageFrame("a", $0) })
            return ClientResponse(status: 200, body: JSONValue.object(["items": items, "hasMore": false]).bytes)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            var events = client.room("a").events(after: 0).makeAsyncIterator()
            let first = try await events.next()
            #expect(first?.seq == 1)
        }
    }

    @Test func `a reader fills in what was missed from the log`() async throws {
        let client = try makeClient(server)
        server.answer { call in
            guard call.path.contains("/events") else { return ClientResponse(status: 404) }
            let items = (1...3).map { messageFrame("a", $0) }
            return ClientResponse(
                status: 200, body: JSONValue.object(["items": .array(items), "hasMore": false]).bytes)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            var seen: [Int64] = []
            for try await event in client.room("a").events(after: 0) {
                seen.append(event.seq)
                if seen.count == 3 { break }
            }
            #expect(seen == [1, 2, 3])
            #expect(server.calls.filter { $0.path.contains("/events") }.count == 1)
        }
    }

    @Test func `a reader ends when the room is lost after the last event`() async throws {
        let client = try makeClient(server)
        server.answer { _ in ClientResponse(status: 404, body: Array(#"{"code":"room_not_found"}"#.utf8)) }
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            await client.reaches(.live)
            var events = client.room("a").events().makeAsyncIterator()
            await link.send(messageFrame("a", 1), ["eventType": "room_removed", "roomId": "a", "reason": "removed"])
            let (last, end) = (try await events.next(), try await events.next())
            #expect(last?.seq == 1)
            #expect(end == nil)
            #expect(client.roomLists.value.isEmpty)
        }
    }

    @Test
    func `a reader that begins now begins at the head of the server, not where a former process had stopped`()
        async throws
    {
        let store = MemoryChatStore()
        let first = try makeClient(server, store: store)
        try await running(first) { [server] in
            _ = first.room("a").messages
            try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            await first.reaches(.live)
        }
        let second = try makeClient(server, store: store)
        try await running(second) { [server] in
            _ = second.room("a").messages
            var events = second.room("a").events().makeAsyncIterator()
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 5)], events: [messageFrame("a", 4), messageFrame("a", 5)])
            await link.send(messageFrame("a", 6))
            let next = try await events.next()
            #expect(next?.seq == 6)
            #expect(!server.calls.contains { $0.path.contains("/events") })
        }
    }

    @Test func `a reader that is made while the first list is kept begins with it`() async throws {
        let store = FailingStore()
        let first = try makeClient(server, store: store)
        try await running(first) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            await first.reaches(.live)
        }
        let second = try makeClient(server, store: store)
        try await running(second) { [server] in
            let link = try await server.link()
            await link.receive([.opened])
            await link.send(["eventType": "ready", "sessionId": "s", "userId": 1, "heartbeatSeconds": 25])
            _ = await link.frame("sync")
            // Nothing has changed since then, so no list names the room.
            await link.send(["eventType": "rooms", "rooms": [], "removed": [], "isAll": false, "isLast": true])
            store.isWaiting.set(false)
            store.isHeld.set(true)
            let syncing = Task { await link.send(["eventType": "synced", "cursor": "c2"]) }
            for await isWaiting in LatestValues(source: store.isWaiting) where isWaiting { break }
            var events = second.room("a").events().makeAsyncIterator()
            store.isHeld.set(false)
            await syncing.value
            await link.send(messageFrame("a", 4))
            let next = try await events.next()
            #expect(next?.seq == 4)
        }
    }

    @Test func `a named reader that begins now begins there, too, when it dies before the first event`() async throws {
        let store = MemoryChatStore()
        let first = try makeClient(server, store: store)
        try await running(first) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 3)])
            await first.reaches(.live)
            let reading = Task {
                for try await _ in first.room("a").events(as: "invoicer") { break }
            }
            try await until { store.contents.keys.contains { $0.contains("/reader/a/invoicer") } }
            reading.cancel()
            _ = await reading.result
        }
        let second = try makeClient(server, store: store)
        server.answer { call in
            guard call.path == "/api/v1/rooms/a/events?after=3&limit=100&mark=mark3" else {
                return ClientResponse(status: 404)
            }
            let items = (4...5).map { messageFrame("a", $0) }
            return ClientResponse(
                status: 200, body: JSONValue.object(["items": .array(items), "hasMore": false]).bytes)
        }
        try await running(second) { [server] in
            try await server.link().live(rooms: [roomFrame("a", seq: 5)])
            await second.reaches(.live)
            var events = second.room("a").events(as: "invoicer").makeAsyncIterator()
            let next = try await events.next()
            #expect(next?.seq == 4)
        }
    }
}
