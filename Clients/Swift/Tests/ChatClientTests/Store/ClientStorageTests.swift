import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct ClientStorageTests {
    let store = MemoryChatStore()

    private func storage(_ instance: String = "one") -> ClientStorage {
        ClientStorage(store: store, prefix: "v1/server/1/", instance: instance)
    }

    private func events(_ range: ClosedRange<Int64>, mark: String = "mark") throws -> [ChatEvent] {
        try range.map { seq in
            var frame = messageFrame("a", seq).object ?? [:]
            frame["mark"] = .string("\(mark)\(seq)")
            return try #require(ChatEvent(json: frame))
        }
    }

    private func begin(_ storage: ClientStorage, at seq: Int64 = 0) async throws {
        _ = try await storage.ask(for: "a")
        try await storage.keep([.begin(room: "a", LogPosition(seq: seq, mark: seq > 0 ? "mark\(seq)" : nil))])
    }

    private func position(_ storage: ClientStorage) async throws -> LogPosition? {
        try await storage.load(isRunning: false).positions["a"]
    }

    @Test func `the events that are kept are the position`() async throws {
        let storage = storage()
        try await begin(storage, at: 4)
        let value1 = try await position(storage)
        #expect(value1 == LogPosition(seq: 4, mark: "mark4"))
        try await storage.keep([.events(room: "a", try events(5...5))])
        try await storage.keep([.events(room: "a", try events(6...200))])
        let last = LogPosition(seq: 200, mark: "mark200")
        let value2 = try await position(storage)
        #expect(value2 == last)
        let value3 = try await storage.events(of: "a", through: last).map(\.seq)
        #expect(value3 == Array(5...200))
        #expect(store.contents.keys.filter { $0.contains("/room/a/1/") }.count == 4)
    }

    @Test func `only the newest events are kept`() async throws {
        let storage = storage()
        try await begin(storage)
        for start in stride(from: Int64(1), through: 3000, by: 50) {
            try await storage.keep([.events(room: "a", try events(start...start + 49))])
        }
        let kept = try await storage.events(of: "a", through: LogPosition(seq: 3000, mark: "mark3000"))
        #expect((1000...1128).contains(kept.count))
        #expect(kept.last?.seq == 3000)
        #expect(zip(kept, kept.dropFirst()).allSatisfy { $0.seq + 1 == $1.seq })
    }

    @Test func `two processes move the position forward only`() async throws {
        let (one, two) = (storage("one"), storage("two"))
        try await begin(one)
        try await one.keep([.events(room: "a", try events(1...5))])
        try await two.keep([.events(room: "a", try events(1...3))])
        let value4 = try await position(one)?.seq
        #expect(value4 == 5)
        try await two.keep([.events(room: "a", try events(4...7))])
        let value5 = try await one.events(of: "a", through: LogPosition(seq: 7, mark: "mark7")).map(\.seq)
        #expect(value5 == Array(1...7))
    }

    @Test func `a log that does not go on begins another generation`() async throws {
        let storage = storage()
        try await begin(storage)
        try await storage.keep([.events(room: "a", try events(1...5))])
        try await storage.keep([.events(room: "a", try events(8...9))])
        let value6 = try await storage.events(of: "a", through: LogPosition(seq: 9, mark: "mark9")).map(\.seq)
        #expect(value6 == [8, 9])
        try await storage.keep([.events(room: "a", try events(9...10, mark: "other"))])
        let value7 = try await storage.events(of: "a", through: LogPosition(seq: 10, mark: "other10")).map(\.mark)
        #expect(value7 == ["other9", "other10"])
    }

    @Test func `a reset of two processes is one`() async throws {
        let (one, two) = (storage("one"), storage("two"))
        try await begin(one)
        try await one.keep([.events(room: "a", try events(1...5))])
        let reset = ClientStorage.Change.begin(room: "a", LogPosition(seq: 3, mark: "other3"))
        try await one.keep([reset])
        try await one.keep([.events(room: "a", try events(4...4, mark: "other"))])
        try await two.keep([reset])
        let value8 = try await position(one)
        #expect(value8 == LogPosition(seq: 4, mark: "other4"))
    }

    @Test func `a segment that cannot be read is absent`() async throws {
        let storage = storage()
        try await begin(storage)
        try await storage.keep([.events(room: "a", try events(1...5))])
        let key = try #require(store.contents.keys.first { $0.contains("/room/a/1/") })
        try await store.step { $0.set(key, Array("[{\"seq\"".utf8)) }
        let value9 = try await position(storage)
        #expect(value9 == LogPosition(seq: 0))
        try await storage.keep([.events(room: "a", try events(6...6))])
        let value10 = try await storage.events(of: "a", through: LogPosition(seq: 6, mark: "mark6")).map(\.seq)
        #expect(value10 == [6])
    }

    @Test func `the logs of fifty rooms are kept`() async throws {
        let storage = storage()
        for number in 0..<60 {
            _ = try await storage.ask(for: "r\(number)")
            try await storage.keep([.begin(room: "r\(number)", LogPosition(seq: 1, mark: "m"))])
        }
        let positions = try await storage.load(isRunning: false).positions
        #expect(positions.count == 50)
        #expect(positions["r9"] == nil && positions["r10"] != nil)
        #expect(!store.contents.keys.contains { $0.contains("/room/r9/") })
    }

    @Test func `a post that another process has settled does not come back`() async throws {
        let (one, two) = (storage("one"), storage("two"))
        var post = OwnPost(key: "k", roomID: "a", messageType: "text", payload: ["text": "x"], createdAt: 1)
        _ = try await one.add(post, isRunning: true)
        post.state = .queued
        post.isTried = true
        #expect(try await one.put(post, isMoved: false) == .done(payload: post.payload))
        try await two.keep([.postDone(key: "k", StoredPosition(messageID: 7, seq: 3))])
        for isMoved in [false, true] {
            let outcome = try await one.put(post, isMoved: isMoved)
            #expect(outcome == .gone(StoredPosition(messageID: 7, seq: 3)))
        }
        let outbox = try await one.refreshOutbox(isRunning: true)
        #expect(outbox.posts.isEmpty)
        #expect(outbox.done == [DonePost(key: "k", place: StoredPosition(messageID: 7, seq: 3))])
    }

    @Test func `an attempt ends all changes of a post, and a put keeps the payload of the store`() async throws {
        let (one, two) = (storage("one"), storage("two"))
        var post = OwnPost(key: "k", roomID: "a", payload: ["text": "x"], state: .queued)
        _ = try await one.add(post, isRunning: false)
        let edited = try await two.edit(post, payload: ["text": "y"])
        #expect(edited == .done(payload: ["text": "y"]))
        post.isTried = true
        let put = try await one.put(post, isMoved: false)
        #expect(put == .done(payload: ["text": "y"]))
        let (lateEdit, lateDiscard) = (try await two.edit(post, payload: ["text": "z"]), try await two.discard(post))
        #expect(lateEdit == .tried && lateDiscard == .tried)
        let kept = try #require(try await two.refreshOutbox(isRunning: false).posts.first)
        #expect(kept.isTried && kept.payload == ["text": "y"])
        post.state = .refused
        _ = try await one.put(post, isMoved: false)
        let discarded = try await two.discard(post)
        #expect(discarded == .done(payload: nil))
        let gone = try await two.edit(post, payload: ["text": "z"])
        #expect(gone == .gone(nil))
    }

    @Test func `the last hundred posts that were stored, and that were given up, are remembered`() async throws {
        let storage = storage()
        try await store.step { $0.set("v1/server/1/done/k", Array("{}".utf8)) }
        for number in 1...220 {
            let post = OwnPost(key: "k\(number)", roomID: "a", payload: ["text": "x"])
            _ = try await storage.add(post, isRunning: false)
            let place = number % 2 == 0 ? StoredPosition(messageID: 7, seq: Int64(number)) : nil
            try await storage.keep([.postDone(key: "k\(number)", place)])
        }
        let done = try await storage.load(isRunning: false).outbox.done
        let (stored, gone) = (done.filter { $0.place != nil }, done.filter { $0.place == nil })
        #expect(stored.map(\.place?.seq) == (11...110).map { $0 * 2 })
        #expect(gone.map(\.key) == (10...109).map { "k\($0 * 2 + 1)" })
        #expect(store.contents.keys.filter { $0.contains("/done") } == ["v1/server/1/done"])
    }

    @Test func `a post that others have settled longer ago than is remembered is stored again`() async throws {
        let (one, two) = (storage("one"), storage("two"))
        let post = OwnPost(key: "k", roomID: "a", payload: ["text": "x"], state: .queued)
        _ = try await one.add(post, isRunning: false)
        let place = try await settle("k", in: two)
        for number in 1..<DonePost.maximum { _ = try await settle("k\(number)", in: two) }
        let remembered = try await one.put(post, isMoved: false)
        #expect(remembered == .gone(place))
        _ = try await settle("last", in: two)
        let forgotten = try await one.put(post, isMoved: false)
        #expect(forgotten == .storedAgain)
        let kept = try await two.refreshOutbox(isRunning: false).posts
        #expect(kept.map(\.key) == ["k"] && kept.first?.isTried == true)
    }

    @Test(arguments: [PostState.queued, .refused], [true, false])
    func `a post that others have settled so long ago is not edited or discarded`(
        state: PostState, isEdit: Bool
    ) async throws {
        let storage = storage()
        let former = OwnPost(key: "k", roomID: "a", payload: ["text": "x"], state: state)
        for number in 1...DonePost.maximum { _ = try await settle("k\(number)", in: storage) }
        let outcome = try await (isEdit ? storage.edit(former, payload: ["text": "y"]) : storage.discard(former))
        #expect(outcome == .tried)
        let kept = try #require(try await storage.refreshOutbox(isRunning: false).posts.first)
        #expect(kept.payload == former.payload && kept.state == state && kept.isTried)
        #expect(kept.isCertain == (state == .queued))
    }

    @Test func `an answer to an older attempt gives no post up that others have stored`() async throws {
        let storage = storage()
        _ = try await storage.add(OwnPost(key: "k", roomID: "a", payload: ["text": "x"]), isRunning: false)
        let own = try await storage.giveUp("k")
        #expect(own == .done(payload: nil))
        let place = try await settle("k", in: storage)
        let remembered = try await storage.giveUp("k")
        #expect(remembered == .gone(place))
        for number in 1...DonePost.maximum { _ = try await settle("k\(number)", in: storage) }
        // Its own end is remembered apart from those that were stored.
        for number in 1...DonePost.maximum {
            _ = try await storage.add(OwnPost(key: "g\(number)", roomID: "a", payload: [:]), isRunning: false)
            _ = try await storage.giveUp("g\(number)")
        }
        let forgotten = try await storage.giveUp("k")
        #expect(forgotten == .tried)
        #expect(try await storage.refreshOutbox(isRunning: false).posts.isEmpty)
    }

    /// Stores a post, and removes it as one that the server has.
    private func settle(_ key: String, in storage: ClientStorage) async throws -> StoredPosition {
        let place = StoredPosition(messageID: 7, seq: 3)
        _ = try await storage.add(OwnPost(key: key, roomID: "a", payload: ["text": "x"]), isRunning: false)
        try await storage.keep([.postDone(key: key, place)])
        return place
    }

    @Test func `a name has one reader`() async throws {
        let (one, two) = (storage("one"), storage("two"))
        let isAlive: @Sendable (String) -> Bool = { _ in true }
        let value11 = try await one.takeName("n/x", room: "a", reader: "one.1", isAlive: isAlive)
        #expect(value11 == nil)
        try await one.moveName("n/x", room: "a", reader: "one.1", to: LogPosition(seq: 7, mark: "m"))
        let error = await #expect(throws: ChatError.self) {
            try await two.takeName("n/x", room: "a", reader: "two.1", isAlive: isAlive)
        }
        #expect(error?.code == .inUse)
        try await one.releaseName("n/x", room: "a", reader: "one.1")
        let value12 = try await two.takeName("n/x", room: "a", reader: "two.1", isAlive: isAlive)
        #expect(value12 == LogPosition(seq: 7, mark: "m"))
        await #expect(throws: ChatError.self) { try await one.moveName("n/x", room: "a", reader: "one.1", to: nil) }
    }

    @Test(arguments: [
        "null", "7", "true", "\"x\"", "[]", "{}", "[null,7,{}]", #"{"seq":-1,"key":7,"rooms":7}"#,
        #"{"generation":9223372036854775807,"from":{"seq":-1}}"#,
        #"{"generation":9223372036854775807,"from":{"seq":0}}"#,
        #"{"process":1,"start":1,"instance":"x","seenAt":-9223372036854775808}"#,
        #"[{"seq":9223372036854775807,"eventType":"x"}]"#, #"{"position":{"seq":-1},"lease":7}"#,
    ])
    func `a value of another form is absent`(_ text: String) async throws {
        let storage = storage()
        let names = [
            "list", "asked", "room/a/head", "room/a/1/0000000000000001", "read/a", "outbox/000000000001.k", "sender",
            "done", "reader/a/n",
        ]
        try await store.step { step in for name in names { step.set("v1/server/1/" + name, Array(text.utf8)) } }
        var contents = try await storage.load(isRunning: true)
        #expect(contents.positions.values.allSatisfy { (0...9).contains($0.seq) })
        #expect(contents.outbox.posts.isEmpty && contents.outbox.done.isEmpty && contents.outbox.isSender)
        let name = try await storage.takeName("n", room: "a", reader: "one.1") { _ in true }
        #expect(name == nil)
        _ = try await storage.add(OwnPost(key: "k", roomID: "a", payload: ["text": "x"]), isRunning: true)
        try await storage.keep([.postDone(key: "k", StoredPosition(messageID: 7, seq: 3))])
        _ = try await storage.ask(for: "a")
        try await storage.keep([
            .begin(room: "a", LogPosition(seq: 4, mark: "mark4")), .events(room: "a", try events(5...5)),
        ])
        contents = try await storage.load(isRunning: true)
        #expect(contents.positions["a"] == LogPosition(seq: 5, mark: "mark5"))
    }

    @Test func `kept events have no gap where a part cannot be read`() async throws {
        let storage = storage()
        try await begin(storage)
        try await storage.keep([.events(room: "a", try events(1...200))])
        try await store.step { $0.set("v1/server/1/room/a/1/0000000000000065", Array("[7]".utf8)) }
        let kept = try await storage.events(of: "a", through: LogPosition(seq: 200, mark: "mark200"))
        #expect(kept.map(\.seq) == Array(129...200))
    }
}
