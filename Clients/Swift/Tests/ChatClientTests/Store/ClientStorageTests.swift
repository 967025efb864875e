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
        #expect(try await one.put(post, isMoved: false))
        try await two.keep([.postDone(key: "k", StoredPosition(messageID: 7, seq: 3))])
        #expect(try await !one.put(post, isMoved: false))
        #expect(try await !one.put(post, isMoved: true))
        let outbox = try await one.refreshOutbox(isRunning: true)
        #expect(outbox.posts.isEmpty)
        #expect(outbox.done["k"]?.seq == 3)
    }

    @Test func `a process that stood still for hours learns what became of its post, whatever others have sent`()
        async throws
    {
        let (one, two) = (storage("one"), storage("two"))
        let posts = (0..<300).map { OwnPost(key: "k\($0)", roomID: "a", payload: ["text": "x"], state: .queued) }
        for post in posts { _ = try await one.add(post, isRunning: false) }
        let hour: Int64 = 3_600_000
        for (number, post) in posts.enumerated() {
            try await two.keep([.postDone(key: post.key, StoredPosition(messageID: 7, seq: Int64(number)))])
            let key = try #require(store.contents.keys.first { $0.hasSuffix("/done/\(post.key)") })
            try await store.step { step in
                // Each is a second older than the one before; the last is of a day and an hour ago.
                let age = number == 299 ? 25 * hour : 20 * hour + Int64(number) * 1000
                var value = try #require(try step.value(key).flatMap { try JSONParser.parse($0).object })
                value["at"] = JSONValue(System.wallClock - age)
                step.set(key, JSONValue.object(value).bytes)
            }
        }
        // Others look at the outbox as well, and tidy up.
        _ = try await two.refreshOutbox(isRunning: false)
        let done = try await one.refreshOutbox(isRunning: false).done
        #expect(Set(done.keys) == Set(posts.prefix(256).map(\.key)))
        #expect(try await one.refreshOutbox(isRunning: false).done.isEmpty)
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
}
