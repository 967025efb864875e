import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import PostgresClient
import Testing

/// Two writers stand for two servers: each has its own client.
@Suite(.timeLimit(.minutes(2))) struct ConcurrentPostingTests {
    private func withTwoWriters(
        limits: MessageWriter.Limits = .init(), onCommit: @escaping @Sendable (Int, [RoomEvent]) -> Void = { _, _ in },
        _ body: (Store, [MessageWriter]) async throws -> Void
    ) async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic, .cellar] { try await store.makeRoom(roomID) }
            try await withClient(store.url) { other in
                try await withWriter(store.client, limits: limits, onCommit: { onCommit(0, $0) }) { one in
                    try await withWriter(other, limits: limits, onCommit: { onCommit(1, $0) }) { two in
                        try await body(store, [one, two])
                    }
                }
            }
        }
    }

    @Test(arguments: [0, 64])
    func `posts through two servers are published in order`(validatedSpan: Int) async throws {
        let published = [EventCollector<RoomEvent>(), EventCollector<RoomEvent>()]
        try await withTwoWriters(
            limits: .init(validatedSpan: validatedSpan), onCommit: { published[$0].append(contentsOf: $1) }
        ) {
            store, writers in
            let rooms = [RoomID.hall, .attic, .cellar]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for poster in 0..<50 {
                    group.addTask {
                        for number in 0..<6 {
                            let writer = (poster + number) % 2
                            let message = try await writers[writer].mustStore(
                                draft("\(poster)-\(number)", by: poster < 25 ? ann : bob, in: rooms[number % 3]))
                            // Who is answered has been published of before.
                            #expect(published[writer].all.contains { $0.message == message })
                        }
                    }
                }
                try await group.waitForAll()
            }
            for roomID in rooms {
                let events = try await store.log.events(of: roomID, after: 0, limit: 200).events
                #expect(events.map(\.seq) == Array(1...100))
                let publishedHere = published.map { $0.all.filter { $0.roomID == roomID } }
                for events in publishedHere { #expect(events.map(\.seq) == events.map(\.seq).sorted()) }
                #expect(publishedHere.flatMap { $0 }.sorted { $0.seq < $1.seq } == events)
                #expect(try await store.rooms.room(roomID)?.lastSeq == 100)
            }
        }
    }

    @Test(arguments: [1, 7, 256], [0, 64])
    func `a hundred retries of one post are one message`(batchSize: Int, validatedSpan: Int) async throws {
        let published = EventCollector<RoomEvent>()
        var limits = MessageWriter.Limits(validatedSpan: validatedSpan)
        limits.batchSize = batchSize
        try await withTwoWriters(limits: limits, onCommit: { published.append(contentsOf: $1) }) { store, writers in
            let outcomes = try await withThrowingTaskGroup(of: PostOutcome.self) { group in
                for number in 0..<100 { group.addTask { try await writers[number % 2].post(draft(key: "k")) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let stored = outcomes.compactMap(\.stored)
            #expect(stored.count == 1)
            #expect(outcomes.compactMap(\.repeated) == Array(repeating: stored[0], count: 99))
            #expect(try await store.client.number("SELECT count(*) FROM messages") == 1)
            #expect(published.all.map(\.message) == [stored[0]])
            #expect(try await store.rooms.room(.hall)?.lastSeq == 1)
        }
    }

    @Test(arguments: [0, 64])
    func `of different posts with one key at once one wins`(validatedSpan: Int) async throws {
        try await withTwoWriters(limits: .init(validatedSpan: validatedSpan)) { store, writers in
            let outcomes = try await withThrowingTaskGroup(of: PostOutcome.self) { group in
                for number in 0..<40 {
                    group.addTask { try await writers[number % 2].post(draft("\(number % 4)", key: "k")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.compactMap(\.stored).count == 1)
            #expect(outcomes.compactMap(\.repeated).count == 9)
            #expect(outcomes.filter { $0 == .refused(.keyReused) }.count == 30)
            #expect(try await store.rooms.room(.hall)?.lastSeq == 1)
        }
    }

    @Test(arguments: [0, 64])
    func `one key in two rooms through two servers at once is one message`(validatedSpan: Int) async throws {
        try await withTwoWriters(limits: .init(validatedSpan: validatedSpan)) { store, writers in
            for round in 0..<20 {
                async let here = writers[0].post(draft(in: .hall, key: "k\(round)"))
                async let there = writers[1].post(draft(in: .attic, key: "k\(round)"))
                let outcomes = try await [here, there]
                #expect(outcomes.compactMap(\.stored).count == 1)
                #expect(outcomes.contains(.refused(.keyReused)))
            }
            let heads = try await store.rooms.heads(of: [.hall, .attic])
            #expect(heads.values.reduce(0, +) == 20)
            #expect(try await store.client.number("SELECT count(*) FROM messages") == 20)
        }
    }

    @Test(arguments: [0, 64])
    func `many keys in crossed order through two servers neither lose nor double a post`(validatedSpan: Int)
        async throws
    {
        try await withTwoWriters(limits: .init(validatedSpan: validatedSpan)) { store, writers in
            let outcomes = try await withThrowingTaskGroup(of: PostOutcome.self) { group in
                for number in 0..<60 {
                    group.addTask { try await writers[0].post(draft(in: .hall, key: "k\(number)")) }
                    group.addTask { try await writers[1].post(draft(in: .attic, key: "k\(59 - number)")) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.compactMap(\.stored).count == 60)
            #expect(outcomes.filter { $0 == .refused(.keyReused) }.count == 60)
            for roomID in [RoomID.hall, .attic] {
                let page = try await store.log.events(of: roomID, after: 0, limit: 100)
                #expect(page.events.map(\.seq) == (0..<page.events.count).map { Seq($0 + 1) })
            }
        }
    }
}
