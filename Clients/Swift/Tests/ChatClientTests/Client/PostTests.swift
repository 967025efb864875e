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
        server.answerNothing()
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

    @Test func `the outbox has a post by the time that it is reported as kept`() async throws {
        let client = try makeClient(server)
        for number in 1...200 {
            try await client.room("a").post("one", key: "k\(number)").kept()
            #expect(client.outbox.value.count == number)
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

    @Test func `a post is given up while the server asks for a pause`() async throws {
        let client = try makeClient(server)
        server.answer { _ in ClientResponse(status: 429, headers: ["retry-after": "60"]) }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let post = client.room("a").post("one", key: "k")
            try await until { server.calls.count == 1 && client.outbox.value.first?.state == .queued }
            #expect(await client.room("a").edit(post, ["text": "two"]))
            #expect(await post.discard())
            #expect(client.outbox.value.isEmpty)
        }
    }

    @Test func `another call of the message server shows whether it fails at every call`() async throws {
        let client = try makeClient(server)
        server.answer { call in
            guard call.method == .post else { return ClientResponse(status: 200, body: Array("{}".utf8)) }
            return ClientResponse(status: 500, headers: ["content-type": "application/problem+json"])
        }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let post = client.room("a").post("Hello")
            try await until { server.calls.contains { $0.method == .get } }
            let other = try #require(server.calls.first { $0.method == .get })
            #expect(other.server.host == "messages.test")
            #expect(other.path == "/api/v1/rooms/a/messages?limit=1")
            _ = post
        }
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

    @Test func `a key of a message that the log does not show yet is the same message or refused`() async throws {
        let client = try makeClient(server)
        server.answer { call in Self.stored(call, seq: 1) }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            let room = client.room("a")
            _ = room.messages
            for await state in room.states where state == .live { break }
            try await room.send("one", key: "k")
            let error = await #expect(throws: ChatError.self) { try await room.send("two", key: "k") }
            #expect(error?.code == .clientMessageIDReused)
            #expect(try await room.send("one", key: "k").messageID == 10)
            #expect(server.calls.count { $0.method == .post } == 1)
        }
    }

    @Test func `the wait for a discard ends with run()`() async throws {
        let client = try makeClient(server)
        server.answerNothing()
        let post = client.room("a").post("one", key: "k")
        let discarding = try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            for await posts in client.outbox where posts.first?.state == .sending { break }
            let discarding = Task { await post.discard() }
            // Enough for `discard()` to begin waiting, which no event reports.
            try await Task.sleep(for: .milliseconds(50))
            return discarding
        }
        #expect(await !discarding.value)
        try await client.forget(evenUnsent: true)
        let error = await #expect(throws: ChatError.self) { try await post.stored() }
        #expect(error?.code == .notStored)
    }

    @Test(arguments: ["", String(repeating: "x", count: 65), String(repeating: "😀", count: 65)])
    func `a key that the server never takes is refused at once`(_ key: String) async throws {
        let client = try makeClient(server)
        let post = client.room("a").post("one", key: key)
        let error = await #expect(throws: ChatError.self) { try await post.stored() }
        #expect(error?.code == .invalid)
        try await client.room("a").post("two", key: "k").kept()
        for await posts in client.outbox where !posts.isEmpty {
            #expect(posts.map(\.key) == ["k"])
            break
        }
    }
}
