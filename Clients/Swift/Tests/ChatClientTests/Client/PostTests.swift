import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct PostTests {
    let server = FakeServer()

    static func stored(_ call: HTTPCall, seq: Int64) -> ClientResponse {
        let body = call.body.flatMap { try? JSONParser.parse($0) }
        var message = messageFrame(body?["roomId"]?.string ?? "", seq, sender: 1).object ?? [:]
        message["eventType"] = nil
        message["clientMessageId"] = body?["clientMessageId"]
        message["contentJson"] = (body?["payload"]?.text).map(JSONValue.string)
        return ClientResponse(status: 201, body: JSONValue.object(message).bytes)
    }

    static func key(_ call: HTTPCall) -> String {
        (call.body.flatMap { try? JSONParser.parse($0) })?["clientMessageId"]?.string ?? ""
    }

    @Test func `a lost answer is followed by the same post`() async throws {
        let client = try makeClient(server)
        let tries = NIOLockedValueBox(0)
        server.answer { call in
            let number = tries.increment()
            if number == 1 { throw ChatError(.network, "cut") }
            if number == 2 { return ClientResponse(status: 503) }
            return Self.stored(call, seq: 1)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let message = try await client.room("a").send("Hello", key: "k")
            #expect(message.text == "Hello")
            #expect(server.calls.map(Self.key) == ["k", "k", "k"])
            #expect(client.outbox.value.isEmpty)
        }
    }

    @Test func `a refused post is passed and can be discarded`() async throws {
        let client = try makeClient(server)
        server.answer { call in
            guard Self.key(call) == "bad" else { return Self.stored(call, seq: 1) }
            return ClientResponse(status: 422, body: Array(#"{"code":"validation_failed"}"#.utf8))
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let bad = client.room("a").post("bad", key: "bad")
            try await client.room("a").send("good", key: "good")
            let error = await #expect(throws: ChatError.self) { try await bad.stored() }
            #expect(error?.code == "validation_failed")
            #expect(bad.isCertain)
            #expect(await bad.discard())
            #expect(client.outbox.value.isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `a refusal of a call that was made twice is not certain`(_ isRepeated: Bool) async throws {
        let client = try makeClient(server)
        server.answer { _ in
            var answer = ClientResponse(status: 404, body: Array(#"{"code":"room_not_found"}"#.utf8))
            answer.isRepeated = isRepeated
            return answer
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let post = client.room("a").post("Hello")
            let error = await #expect(throws: ChatError.self) { try await post.stored() }
            #expect(error?.code == .roomNotFound)
            #expect(post.isCertain == !isRepeated)
        }
    }

    @Test func `a refused token is replaced and the post repeated`() async throws {
        let asked = NIOLockedValueBox<[TokenReason]>([])
        let client = try makeClient(server) { reason in
            asked.withLockedValue { $0.append(reason) }
            return token(of: 1, id: asked.withLockedValue { $0.count })
        }
        let first = NIOLockedValueBox<String?>(nil)
        server.answer { call in
            let used = call.headers.first?.value
            let isFirst = first.withLockedValue { first in
                if first == nil { first = used }
                return first == used
            }
            return isFirst ? ClientResponse(status: 401) : Self.stored(call, seq: 1)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            try await client.room("a").send("Hello")
            #expect(asked.withLockedValue { $0 } == [.first, .refused])
            #expect(client.connectionStates.value.state == .live)
        }
    }

    @Test func `cancelling send() stops the waiting alone`() async throws {
        let client = try makeClient(server)
        let (gate, opened) = AsyncStream.makeStream(of: Void.self)
        server.answer { call in
            for await _ in gate { break }
            return Self.stored(call, seq: 1)
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let sending = Task { try await client.room("a").send("Hello", key: "k") }
            for await posts in client.outbox where posts.first?.state == .sending { break }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
            opened.yield()
            for await posts in client.outbox where posts.isEmpty { break }
        }
    }

    @Test func `the log shows a post whose answer is lost`() async throws {
        let client = try makeClient(server)
        server.answer { _ in
            try await Task.sleep(for: .seconds(60))
            throw ChatError.timeout
        }
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            let post = client.room("a").post("Hello", key: "k")
            for await posts in client.outbox where posts.first?.state == .sending { break }
            await link.send(messageFrame("a", 1, sender: 1, key: "k", text: "Hello"))
            let value1 = try await post.stored().seq
            #expect(value1 == 1)
        }
    }

    @Test func `a key of a message whose file the server has described is left to the server`() async throws {
        let client = try makeClient(server)
        server.answer { call in Self.stored(call, seq: 1) }
        try await running(client) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            let room = client.room("a")
            let messages = room.messages
            for await state in room.states where state == .live { break }
            var frame = messageFrame("a", 1, sender: 1, key: "k").object ?? [:]
            frame["messageType"] = "image"
            frame["contentJson"] = #"{"fileId": "f1", "fileName": "a.png"}"#
            await link.send(.object(frame))
            for await shown in messages where !shown.items.isEmpty { break }
            func post(_ fileID: String) -> Post {
                room.post(MessageContent(messageType: "image", payload: ["fileId": .string(fileID)]), key: "k")
            }
            let stored = try await post("f1").stored()
            #expect(stored.messageID == 10)
            let error = await #expect(throws: ChatError.self) { _ = try await post("f2").stored() }
            #expect(error?.code == .clientMessageIDReused)
            #expect(server.calls.count { $0.method == .post } == 1)
        }
    }

    @Test func `a key is one post and other content is refused without a try`() async throws {
        let client = try makeClient(server)
        let room = client.room("a")
        let post = room.post("one", key: "k")
        #expect(room.post("one", key: "k") === post)
        try await post.kept()
        let other = room.post("two", key: "k")
        let error = await #expect(throws: ChatError.self) { try await other.stored() }
        #expect(error?.code == .clientMessageIDReused)
        #expect(server.calls.isEmpty)
        // Giving it up gives up nothing of the one that has the key.
        await other.retry()
        #expect(await other.discard())
        #expect(client.outbox.value.map(\.key) == ["k"])
        #expect(await room.edit(post, ["text": "three"]))
        #expect(client.outbox.value.map(\.payload) == [["text": "three"]])
    }

    @Test func `what is kept is sent by the next life in its order`() async throws {
        let store = MemoryChatStore()
        let first = try makeClient(server, store: store)
        for number in 1...12 {
            try await first.room("a").post(MessageContent(text: "\(number)"), key: "k\(number)").kept()
        }
        let second = try makeClient(server, store: store)
        let seq = NIOLockedValueBox<Int64>(0)
        let isOpen = LatestValue(false)
        server.answer { call in
            for await isOpen in LatestValues(source: isOpen) where isOpen { break }
            return Self.stored(
                call,
                seq: seq.withLockedValue { seq in
                    seq += 1
                    return seq
                })
        }
        try await running(second) { [server] in
            let messages = second.room("a").messages
            try await server.link().live(rooms: [roomFrame("a")])
            for await shown in messages where shown.items.count == 12 { break }
            isOpen.set(true)
            for await posts in second.outbox where posts.isEmpty && seq.withLockedValue({ $0 }) == 12 { break }
            #expect(server.calls.map(Self.key) == (1...12).map { "k\($0)" })
            // Nobody follows them, and the log has no event of them yet: they are shown all the same.
            for await shown in messages where shown.items.compactMap(\.post?.seq) == Array(1...12) { break }
        }
    }

    @Test func `a post that cannot be read is put aside`() async throws {
        let store = MemoryChatStore()
        let first = try makeClient(server, store: store)
        try await first.room("a").post("one", key: "k1").kept()
        let key = try #require(store.contents.keys.first { $0.contains("/outbox/") })
        try await store.step { $0.set(key, Array("{cut".utf8)) }
        let second = try makeClient(server, store: store)
        var errors = second.errors().makeAsyncIterator()
        try await second.room("a").post("two", key: "k2").kept()
        #expect(await errors.next()?.code == .storeFailed)
        #expect(store.contents.keys.contains { $0.contains("/broken/outbox/") })
        #expect(second.outbox.value.map(\.key) == ["k2"])
    }

    @Test func `a process that becomes the sender knows first what others have sent`() {
        let posts = (1...3).map { number in
            OwnPost(key: "k\(number)", roomID: "a", payload: ["text": "x"], state: .queued)
        }
        var outbox = Outbox(posts: posts, isSender: false) { 0 }
        let places = [("k1", 1), ("k2", 2)].map { ($0.0, StoredPosition(messageID: Int64($0.1), seq: Int64($0.1))) }
        let actions = outbox.loaded([posts[2]], done: Dictionary(uniqueKeysWithValues: places), isSender: true)
        let sent = actions.filter { if case .send = $0 { true } else { false } }
        #expect(places.allSatisfy { actions.contains(.stored($0.0, $0.1)) })
        #expect(sent == [.send("k3")])
    }

    @Test func `several processes form one line and another sends when the sender is gone`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let other = FakeServer()
        let (one, two) = (
            try makeClient(server, store: .file(folder)), try makeClient(other, store: .file(folder))
        )
        let hang: @Sendable (HTTPCall) async throws -> ClientResponse = { _ in
            try await Task.sleep(for: .seconds(60))
            throw ChatError.timeout
        }
        server.answer(hang)
        other.answer { call in Self.stored(call, seq: 1) }
        let sender = Task { try await one.run() }
        try await server.link().live(rooms: [roomFrame("a")])
        try await running(two) { [server] in
            try await other.link().live(rooms: [roomFrame("a")])
            try await one.room("a").post("one", key: "k1").kept()
            for await posts in one.outbox where posts.first?.state == .sending { break }
            let post = two.room("a").post("two", key: "k2")
            try await post.kept()
            #expect(two.outbox.value.map(\.key) == ["k1", "k2"])
            for await posts in one.outbox where posts.count == 2 { break }
            #expect(other.calls.isEmpty)
            sender.cancel()
            let message = try await post.stored()
            #expect(message.clientMessageID == "k2")
            #expect(other.calls.map(Self.key) == ["k1", "k2"])
            #expect(server.calls.map(Self.key) == ["k1"])
        }
        _ = await sender.result
        // The one that was stopped learns what became of its post when it looks next.
        #expect(one.outbox.value.map(\.key) == ["k1", "k2"])
    }

    @Test func `a post of a former life can be followed and discarded`() async throws {
        let store = MemoryChatStore()
        try await makeClient(server, store: store).room("a").post("one", key: "k").kept()
        let client = try makeClient(server, store: store)
        try await client.room("a").post("two", key: "l").kept()
        let post = try #require(client.post(withKey: "k"))
        #expect(await post.discard())
        #expect(client.post(withKey: "k") == nil)
        #expect(store.contents.keys.filter { $0.contains("/outbox/") }.count == 1)
    }

    @Test func `a post can be changed and given up before it is known whose it is`() async throws {
        let client = try makeClient(server, userID: nil)
        server.answer { call in Self.stored(call, seq: 1) }
        let room = client.room("a")
        let (changed, gone) = (room.post("one", key: "k1"), room.post("two", key: "k2"))
        #expect(await room.edit(changed, ["text": "three"]))
        #expect(await gone.discard())
        let error = await #expect(throws: ChatError.self) { try await gone.stored() }
        #expect(error?.code == .notStored)
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            #expect(try await changed.stored().text == "three")
            #expect(server.calls.map(Self.key) == ["k1"])
        }
    }
}
