import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct ClientTests {
    let server = FakeServer()

    @Test func `it connects with the token and syncs`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let link = try await server.link()
            #expect(link.request.path == "/ws/user")
            #expect(link.request.headers.first?.value.hasPrefix("Bearer e30.") == true)
            let sync = await link.live(rooms: [roomFrame("a", seq: 3, unread: 2)])
            #expect(sync["cursor"] == nil)
            await client.reaches(.live, .start)
            #expect(client.roomLists.value.first?.unreadCount == 2)
        }
        #expect(client.connectionStates.value.state == .offline)
        #expect(client.connectionStates.value.reason == .stopped)
        #expect(!server.keepsConnections)
    }

    @Test func `who sees live sees the list that came with it`() async throws {
        let store = FailingStore()
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            let link = try await server.link()
            #expect(server.keepsConnections)
            await link.send(["eventType": "ready", "sessionId": "s", "userId": 1, "heartbeatSeconds": 25])
            await client.reaches(.syncing)
            store.isHeld.set(true)
            async let sent: Void = link.send(
                [
                    "eventType": "rooms", "rooms": [roomFrame("a", seq: 3)], "removed": [], "isAll": true,
                    "isLast": true,
                ], ["eventType": "synced", "cursor": "c1"])
            // The cursor that came with `synced` is being kept: nothing of that time is shown yet.
            for await isWaiting in LatestValues(source: store.isWaiting) where isWaiting { break }
            #expect(client.roomLists.value.isEmpty)
            #expect(client.connectionStates.value.state == .syncing)
            store.isHeld.set(false)
            await client.reaches(.live)
            #expect(client.roomLists.value.map(\.roomID) == ["a"])
            await sent
        }
    }

    @Test func `the messages of a room without a kept log are shown once its head is known`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let messages = client.room("a").messages
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 5)])
            #expect(messages.value.hasMore)
            let later = client.room("b").messages
            await link.send(["eventType": "room_added", "roomId": "b", "room": roomFrame("b", seq: 7)])
            #expect(later.value.hasMore)
        }
    }

    @Test func `events come once in order and a gap is a protocol error`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            var link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            var events = client.room("a").events().makeAsyncIterator()
            _ = client.room("a").messages
            for await state in client.room("a").states where state == .live { break }
            await link.send(messageFrame("a", 1), messageFrame("a", 1), messageFrame("a", 2))
            let value1 = try await events.next()?.seq
            #expect(value1 == 1)
            let value2 = try await events.next()?.seq
            #expect(value2 == 2)
            await link.send(messageFrame("a", 4))
            link = try await server.link()
            await client.reaches(.connecting, .protocol)
            let sync = await link.live(
                rooms: [roomFrame("a", seq: 4)], events: [messageFrame("a", 3), messageFrame("a", 4)])
            #expect(sync["rooms"]?["a"]?["seq"]?.integer == 2)
            #expect(sync["rooms"]?["a"]?["mark"]?.string == "mark2")
            #expect(sync["cursor"]?.string == "c1")
            let value3 = try await events.next()?.seq
            #expect(value3 == 3)
            let value4 = try await events.next()?.seq
            #expect(value4 == 4)
        }
    }

    @Test(arguments: ["{\"eventType\":", "<html>", "[]", "17", ""])
    func `what is no object is a protocol error`(_ text: String) async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live()
            await link.send(text: text)
            await client.reaches(.connecting, .protocol)
            _ = try await server.link()
        }
    }

    @Test func `what a dead connection still gives is not taken in`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let old = try await server.link()
            await old.live(rooms: [roomFrame("a")])
            await old.send(text: "no JSON")
            await old.send(messageFrame("a", 1))
            let new = try await server.link()
            await new.live(rooms: [roomFrame("a", seq: 1)])
            await client.reaches(.live)
            #expect(client.roomLists.value.first?.lastSeq == 1)
        }
    }

    @Test func `the room shows what is kept and forgets it when it is lost`() async throws {
        let store = MemoryChatStore()
        let client = try makeClient(server, store: store)
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 5)])
            let room = client.room("a")
            for await messages in room.messages where messages.hasMore { break }
            await link.send(messageFrame("a", 6))
            #expect(room.messages.value.items.map(\.text) == ["6"])
            #expect(store.contents.keys.contains { $0.contains("/room/a/1/") })
            await link.send(["eventType": "room_removed", "roomId": "a", "reason": "left"])
            #expect(room.states.value == .gone)
            #expect(!store.contents.keys.contains { $0.contains("/room/a/") })
        }
    }

    /// The cursor is kept now and then, an event at once: a room can be kept that the kept list does not know.

    @Test(arguments: [true, false])
    func `a room added after the kept cursor is named by the next life`(isStillTheirs: Bool) async throws {
        let store = MemoryChatStore()
        let first = try makeClient(server, store: store)
        try await running(first) { [server] in
            let link = try await server.link()
            await link.live()
            let messages = first.room("a").messages
            await link.send(["eventType": "room_added", "room": roomFrame("a")])
            for await state in first.room("a").states where state == .live { break }
            await link.send(messageFrame("a", 1))
            for await shown in messages where shown.items.count == 1 { break }
        }
        let second = try makeClient(server, store: store)
        try await running(second) { [server] in
            let messages = second.room("a").messages
            let link = try await server.link()
            await link.send(["eventType": "ready", "sessionId": "s", "userId": 1, "heartbeatSeconds": 25])
            let sync = await link.frame("sync")
            #expect(sync["cursor"]?.string == "c1")
            #expect(sync["rooms"]?["a"]?["seq"]?.integer == 1)
            guard isStillTheirs else {
                await link.send(["eventType": "rooms", "rooms": [], "removed": ["a"], "isAll": false, "isLast": true])
                #expect(second.room("a").states.value == .gone)
                #expect(!store.contents.keys.contains { $0.contains("/room/a/") })
                return
            }
            await link.send([
                "eventType": "rooms", "rooms": [roomFrame("a", seq: 2)], "removed": [], "isAll": false, "isLast": true,
            ])
            await link.send(messageFrame("a", 2), ["eventType": "caught_up", "roomId": "a", "seq": 2])
            for await shown in messages where shown.items.count == 2 { break }
            #expect(messages.value.items.map(\.text) == ["1", "2"])
        }
    }

    @Test func `another log resets the room and reports what is lost`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a", seq: 5)])
            let room = client.room("a")
            for await messages in room.messages where messages.hasMore { break }
            var notices = room.notices().makeAsyncIterator()
            await link.send(messageFrame("a", 6, sender: 1, key: "k"))
            await link.send([
                "eventType": "room_reset", "roomId": "a", "seq": 5, "mark": "other", "room": roomFrame("a", seq: 5),
            ])
            guard case .reset(let position, let lost)? = await notices.next() else {
                Issue.record("no reset")
                return
            }
            #expect(position == LogPosition(seq: 5, mark: "other"))
            #expect(lost.map(\.seq) == [6])
            #expect(room.states.value == .reset)
            await link.send(messageFrame("a", 6))
            #expect(room.states.value == .live)
        }
    }

    @Test func `a store that fails is reported once and nothing is lost`() async throws {
        let store = FailingStore()
        let client = try makeClient(server, store: store)
        var errors = client.errors().makeAsyncIterator()
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            let room = client.room("a")
            _ = room.messages
            for await state in room.states where state == .live { break }
            store.fails = true
            await link.send(messageFrame("a", 1), messageFrame("a", 2))
            await link.send(messageFrame("a", 3))
            #expect(room.messages.value.items.map(\.text) == ["1", "2", "3"])
        }
        let error = await errors.next()
        #expect(error?.code == .storeFailed)
        #expect(!client.isStorageLasting)
    }

    @Test func `cancelling run() ends it at once, whatever hangs`() async throws {
        let client = try makeClient(server) { _ in
            // An application that never answers, not even when it is cancelled.
            await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
            return ""
        }
        let task = Task { try await client.run() }
        try await client.core.tokenIsAsked()
        let clock = ContinuousClock()
        let took = await clock.measure {
            task.cancel()
            _ = await task.result
        }
        // The call for a token would end it after 30 s.
        #expect(took < .seconds(20))
    }

    @Test func `a client that runs again asks for a token again, although the last call was cut off`() async throws {
        let count = NIOLockedValueBox(0)
        let client = try makeClient(server) { _ in
            if count.increment() == 1 { try await Task.sleep(for: .seconds(600)) }
            return token(of: 1)
        }
        let first = Task { try await client.run() }
        try await until { count.withLockedValue { $0 } == 1 }
        first.cancel()
        _ = await first.result
        let took = try await ContinuousClock().measure {
            try await running(client) { [server] in _ = try await server.link() }
        }
        // The call of the first run would count for 30 s.
        #expect(took < .seconds(20))
    }

    @Test func `deadlines count from the input that sets them`() async throws {
        let client = try makeClient(server)
        let before = await client.core.connection.timers.now
        try await until { System.monotonicClock > before }
        let now = System.monotonicClock
        await client.networkIsBack()
        #expect(await client.core.connection.timers.now >= now)
    }

    @Test func `a client runs once at a time`() async throws {
        let client = try makeClient(server)
        try await running(client) { [server] in
            _ = try await server.link()
            let error = await #expect(throws: ChatError.self) { try await client.run() }
            #expect(error?.code == .inUse)
        }
    }

    @Test func `forgetting deletes what is kept but not unsent posts`() async throws {
        let store = MemoryChatStore()
        let client = try makeClient(server, store: store)
        try await client.room("a").post("one").kept()
        let error = await #expect(throws: ChatError.self) { try await client.forget() }
        #expect(error?.code == .unsent)
        try await client.forget(evenUnsent: true)
        #expect(store.contents.isEmpty)
        #expect(client.outbox.value.isEmpty)
    }
}

extension ChatCore {
    /// Waits until the application is asked for a token.
    func tokenIsAsked() async throws {
        while tokenCall == 0 {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}
