import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

/// Posts of several processes that share a store.
@Suite(.timeLimit(.minutes(1))) struct SharedOutboxTests {
    let server = FakeServer()

    @Test func `a process that becomes the sender knows first what others have sent`() {
        let posts = (1...3).map { number in
            OwnPost(key: "k\(number)", roomID: "a", payload: ["text": "x"], state: .queued)
        }
        var outbox = Outbox(posts: posts, isSender: false) { 0 }
        let places = [("k1", 1), ("k2", 2)].map { ($0.0, StoredPosition(messageID: Int64($0.1), seq: Int64($0.1))) }
        let done = places.map { DonePost(key: $0.0, place: $0.1) }
        let actions = outbox.loaded([posts[2]], done: done, isSender: true)
        let sent = actions.filter { if case .send = $0 { true } else { false } }
        #expect(places.allSatisfy { actions.contains(.stored($0.0, $0.1)) })
        #expect(sent == [.send("k3")])
    }

    @Test func `a post that left the store longer ago than is remembered is sent again`() {
        let post = OwnPost(key: "k", roomID: "a", payload: ["text": "x"], state: .queued)
        let done = (1...100).map { DonePost(key: "k\($0)", place: StoredPosition(messageID: 1, seq: 1)) }
        var outbox = Outbox(posts: [post]) { 0 }
        #expect(outbox.loaded([], done: Array(done.dropLast())) == [.discarded("k", isGone: true)])
        outbox = Outbox(posts: [post]) { 0 }
        #expect(outbox.loaded([], done: done) == [.keep("k")])
        #expect(outbox.post("k")?.isTried == true)
        #expect(outbox.kept("k") == [.post("k", .queued), .post("k", .sending), .send("k")])
    }

    @Test func `a refused post that left the store so long ago stays refused, and may have been stored`() {
        var post = OwnPost(key: "k", roomID: "a", payload: ["text": "x"])
        (post.state, post.isCertain) = (.refused, true)
        let done = (1...100).map { DonePost(key: "k\($0)", place: StoredPosition(messageID: 1, seq: 1)) }
        var outbox = Outbox(posts: [post]) { 0 }
        #expect(outbox.loaded([], done: done) == [.post("k", .refused), .keep("k")])
        let discarded = outbox.discard("k")
        #expect(discarded.last == .discarded("k", isGone: false))
    }

    @Test func `a new post that another process has tried is not certain to be unsent`() {
        var outbox = Outbox { 0 }
        var post = OwnPost(key: "k", roomID: "a", payload: ["text": "x"])
        _ = outbox.add(post)
        (post.state, post.isTried) = (.queued, true)
        _ = outbox.loaded([post])
        _ = outbox.kept("k")
        _ = outbox.answer("k", status: 404)
        #expect(outbox.post("k")?.isCertain == false)
    }

    @Test func `a post that was stored again is not certain to be unsent`() {
        var outbox = Outbox(posts: [OwnPost(key: "k", roomID: "a", payload: ["text": "x"], state: .queued)]) { 0 }
        _ = outbox.resume()
        _ = outbox.triedElsewhere("k")
        _ = outbox.answer("k", status: 404)
        #expect(outbox.post("k")?.isCertain == false)
        _ = outbox.retry("k")
        _ = outbox.answer("k", status: 422)
        #expect(outbox.post("k")?.isCertain == true)
        #expect(outbox.triedElsewhere("k") == [.post("k", .refused)])
        #expect(outbox.post("k")?.isCertain == false)
    }

    @Test func `a refusal that another process has found to be uncertain is uncertain here, too`() {
        var post = OwnPost(key: "k", roomID: "a", payload: ["text": "x"], state: .refused)
        var outbox = Outbox(posts: [post]) { 0 }
        #expect(outbox.loaded([post]).isEmpty)
        post.isCertain = false
        #expect(outbox.loaded([post]) == [.post("k", .refused)])
        #expect(outbox.discard("k").last == .discarded("k", isGone: false))
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
        other.answer { call in PostTests.stored(call, seq: 1) }
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
            #expect(other.calls.map(PostTests.key) == ["k1", "k2"])
            #expect(server.calls.map(PostTests.key) == ["k1"])
        }
        _ = await sender.result
        // The one that was stopped learns what became of its post when it looks next.
        #expect(one.outbox.value.map(\.key) == ["k1", "k2"])
    }

    @Test func `a post that another process has begun to send is neither changed nor given up`() async throws {
        let store = FailingStore()
        let other = FakeServer()
        let (one, two) = (try makeClient(server, store: store), try makeClient(other, store: store))
        // This client does not run, so it does not learn of the attempt by itself.
        let post = two.room("a").post("one", key: "k")
        try await post.kept()
        server.answerNothing()
        try await running(one) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            for await posts in one.outbox where posts.first?.state == .sending { break }
            #expect(await !two.room("a").edit(post, ["text": "two"]))
            #expect(await !post.discard())
            #expect(two.outbox.value.map(\.payload) == [["text": "one"]])
            let kept = try #require(store.contents.first { $0.key.contains("/outbox/") }?.value)
            #expect(try JSONParser.parse(kept)["isTried"]?.bool == true)
        }
    }

    @Test func `a post that another process has sent is not given up`() async throws {
        let store = FailingStore()
        let other = FakeServer()
        let (one, two) = (try makeClient(server, store: store), try makeClient(other, store: store))
        let post = two.room("a").post("one", key: "k")
        try await post.kept()
        try await sends(one, from: store)
        #expect(await !post.discard())
        #expect(try await post.stored().seq == 1)
    }

    /// Runs a client until it has sent everything in the store.
    private func sends(_ client: ChatClient, from store: FailingStore) async throws {
        server.answer { call in PostTests.stored(call, seq: 1) }
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            try await until { !store.contents.keys.contains { $0.contains("/outbox/") } }
        }
    }

    @Test(arguments: [true, false])
    func `a change that another process has made after the last look is respected`(_ isEdit: Bool) async throws {
        let store = FailingStore()
        let other = FakeServer()
        let (one, two) = (try makeClient(server, store: store), try makeClient(other, store: store))
        let isOpen = LatestValue(false)
        server.answer { call in
            for await isOpen in LatestValues(source: isOpen) where isOpen { break }
            return PostTests.stored(call, seq: 1)
        }
        try await running(one) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            _ = one.room("a").post("first", key: "k1")
            for await posts in one.outbox where posts.first?.state == .sending { break }
            let post = two.room("a").post("one", key: "k2")
            try await post.kept()
            for await posts in one.outbox where posts.count == 2 { break }
            if isEdit {
                #expect(await two.room("a").edit(post, ["text": "two"]))
            } else {
                #expect(await post.discard())
            }
            isOpen.set(true)
            for await posts in one.outbox where posts.isEmpty { break }
            let sent = server.calls.compactMap { call in
                call.body.flatMap { try? JSONParser.parse($0) }?["payload"]?["text"]?.string
            }
            #expect(sent == (isEdit ? ["first", "two"] : ["first"]))
        }
    }

    @Test func `a process that posts the key of another one learns that it was stored`() async throws {
        let store = FailingStore()
        let (one, two) = (try makeClient(server, store: store), try makeClient(FakeServer(), store: store))
        try await one.room("a").post("one", key: "k").kept()
        let post = two.room("a").post("one", key: "k")
        try await post.kept()
        try await sends(one, from: store)
        #expect(await !post.discard())
        #expect(try await post.stored().seq == 1)
    }

    @Test func `a client that nobody is signed in to leaves the sending to others`() async throws {
        let store = FailingStore()
        let one = try makeClient(server, store: store) { reason in
            if reason == .first { return token(of: 1) }
            throw SignedOut()
        }
        server.answerNothing()
        try await running(one) { [server] in
            let link = try await server.link()
            await link.live(rooms: [roomFrame("a")])
            _ = one.room("a").post("one", key: "k")
            for await posts in one.outbox where posts.first?.state == .sending { break }
            #expect(store.contents.keys.contains { $0.hasSuffix("/sender") })
            link.close(4401)
            await one.reaches(.signedOut)
            #expect(!store.contents.keys.contains { $0.hasSuffix("/sender") })
            // It looks at the outbox every half second. Once a third step begins, a look has ended.
            let steps = NIOLockedValueBox(0)
            store.onStep = { _ = steps.increment() }
            try await until { steps.withLockedValue { $0 } >= 3 }
            #expect(!store.contents.keys.contains { $0.hasSuffix("/sender") })
            #expect(one.outbox.value.map(\.key) == ["k"])
        }
    }
}
