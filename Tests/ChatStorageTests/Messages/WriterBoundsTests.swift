import ChatEvents
import ChatLocalStack
import ChatTestSupport
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// The queue, the end, and what happens while PostgreSQL is away.
@Suite(.timeLimit(.minutes(2))) struct WriterBoundsTests {
    private static func drafts(_ count: Int) -> [MessageDraft] { (0..<count).map { draft("\($0)") } }

    /// A writer that does not run yet, with all drafts but one in its queue, which is full; it is not said which.
    private func withFullQueue(
        _ drafts: [MessageDraft], _ client: PostgresClient, _ onCommit: @escaping @Sendable ([RoomEvent]) -> Void,
        _ body: (MessageWriter, inout ThrowingTaskGroup<PostOutcome, any Error>) async throws -> Void
    ) async throws {
        var limits = MessageWriter.Limits()
        limits.queueLength = drafts.count - 1
        let writer = MessageWriter(
            client: client, isOpen: false, limits: limits, logger: quiet, onCommit: { onCommit($0.map(\.event)) })
        try await withThrowingTaskGroup(of: PostOutcome.self) { group in
            for draft in drafts { group.addTask { try await writer.post(draft) } }
            // Nobody takes from the queue, so who is answered is the one that found it full.
            guard case .failure(let error)? = await group.nextResult() else {
                Issue.record("stored by a writer that does not run")
                return
            }
            let refusal = try #require(error as? ChatError)
            #expect(refusal.code == .unavailable)
            #expect(refusal.retryAfterSeconds != nil)
            try await body(writer, &group)
        }
    }

    @Test func `beyond its bound the queue refuses, and the others are stored`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withFullQueue(Self.drafts(4), store.client, { _ in }) { writer, waiting in
                try await running(writer) {
                    var seqs: [Seq?] = []
                    for try await outcome in waiting { seqs.append(outcome.stored?.seq) }
                    #expect(Set(seqs) == [1, 2, 3])
                    #expect(try await writer.mustStore(draft()).seq == 4)
                }
            }
        }
    }

    @Test func `what waits when the writer stops is stored, and nothing after`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withFullQueue(Self.drafts(21), store.client, { _ in }) { writer, waiting in
                // Stopped at once.
                try await running(writer) {}
                for try await outcome in waiting { #expect(outcome.stored != nil) }
                let error = await #expect(throws: ChatError.self) { try await writer.post(draft()) }
                #expect(error?.code == .unavailable)
            }
            #expect(try await store.rooms.room(.hall)?.lastSeq == 20)
        }
    }

    @Test func `a cancelled writer ends and leaves nobody waiting`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withFullQueue(Self.drafts(6), store.client, { _ in }) { writer, waiting in
                try await whileRunning({ try await writer.run() }, {})
                while let outcome = await waiting.nextResult() {
                    guard case .failure(let error) = outcome else { continue }
                    #expect((error as? ChatError)?.code == .unavailable)
                }
                await #expect(throws: ChatError.self) { try await writer.post(draft()) }
            }
        }
    }

    // MARK: PostgreSQL is away

    @Test func `without PostgreSQL a post fails in time with unavailable`() async throws {
        let nowhere = "postgres://chat@127.0.0.1:\(try FreePort.next())/chat"
        try await withClient(nowhere, { $0.queryTimeout = .milliseconds(300) }) { client in
            try await withWriter(client) { writer in
                let start = ContinuousClock.now
                let error = await #expect(throws: ChatError.self) { try await writer.post(draft()) }
                #expect(error?.code == .unavailable)
                #expect(error?.detail.contains("nothing was stored") == true)
                #expect(.now - start < .seconds(10))
            }
        }
    }

    @Test func `an outage neither loses nor duplicates a keyed post that is sent again`() async throws {
        let postgres = try await LocalPostgres.ephemeral(logger: quiet)
        try await withClient(postgres.url) { client in
            try await ChatSchema.migrate(client)
            let store = Store(url: postgres.url, client: client)
            try await store.makeRoom()
            // The writer alone has so little time.
            try await withClient(postgres.url, { $0.queryTimeout = .seconds(3) }) { client in
                try await withWriter(client) { writer in try await outlast(postgres, writer) }
            }
            let events = try await store.log.events(of: .hall, after: 0, limit: 10).events
            #expect(events.map(\.seq) == [1, 2, 3])
            #expect(events.map { $0.message?.clientMessageID } == ["before", "silent", "dead"])
        }
        try await postgres.stop()
    }

    /// Posts before PostgreSQL is frozen, while it is, and while it is dead.
    private func outlast(_ postgres: LocalPostgres, _ writer: MessageWriter) async throws {
        try await untilPosted(writer, draft(key: "before"))

        await postgres.pause()
        let silent = await #expect(throws: ChatError.self) { try await writer.post(draft(key: "silent")) }
        #expect(silent?.code == .unavailable)
        await postgres.resume()
        try await untilPosted(writer, draft(key: "silent"))

        try await postgres.kill()
        let dead = await #expect(throws: ChatError.self) { try await writer.post(draft(key: "dead")) }
        #expect(dead?.code == .unavailable)
        try await postgres.start()
        try await untilPosted(writer, draft(key: "dead"))
    }

    /// Posts as the contract asks of a client: on 503 the same post again.
    private func untilPosted(_ writer: MessageWriter, _ draft: MessageDraft) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                let outcome = try await writer.post(draft)
                #expect(outcome.stored != nil || outcome.repeated != nil)
                return
            } catch let error as ChatError where error.code == .unavailable && .now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test func `when a repeated post cannot be read back, the others of its batch are stored and published`()
        async throws
    {
        let published = EventCollector<RoomEvent>()
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                for key in ["k", "l"] { try await writer.mustStore(draft(key: key)) }
            }
            // So far on that the next post has its sender's mark written.
            try await store.client.script("UPDATE rooms SET last_seq = 1000")
            try await withClient(store.url) { client in
                let rowLock = HeldLock(store.client, "SELECT FROM room_members WHERE user_id = 1 FOR UPDATE")
                try await rowLock.wait()
                let drafts = [draft(key: "k"), draft(key: "l"), draft("new"), draft("newer")]
                try await withFullQueue(drafts, client, published.append(contentsOf:)) { writer, waiting in
                    try await running(writer) {
                        // The batch has written its message and waits for the row; who wants the table waits for it,
                        try await store.client.waitForBlockedSessions(1)
                        let tableLock = HeldLock(store.client, "LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
                        try await store.client.waitForBlockedSessions(2)
                        // and gets it between the commit and the reading back.
                        try await rowLock.release()
                        try await tableLock.wait()
                        try await store.client.waitForBlockedSessions(1)
                        try await store.client.script(
                            """
                            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock'
                            """)
                        var stored: [Message] = []
                        var errors: [ChatError] = []
                        while let outcome = await waiting.nextResult() {
                            switch outcome {
                            case .success(let outcome): stored += [outcome.stored].compactMap { $0 }
                            case .failure(let error): errors += [error as? ChatError].compactMap { $0 }
                            }
                        }
                        try await tableLock.release()
                        #expect((1...2).contains(stored.count))
                        #expect(errors.map(\.code) == Array(repeating: .unavailable, count: 3 - stored.count))
                        #expect(published.all.compactMap(\.message) == stored.sorted { $0.seq < $1.seq })
                        #expect(try await store.rooms.room(.hall)?.lastSeq == 1000 + Seq(stored.count))
                    }
                }
            }
        }
    }
}

/// A lock held by a transaction of its own until it is released.
private struct HeldLock {
    private let taken = EventCollector<Void>()
    private let released = EventCollector<Void>()
    private let transaction: Task<Void, any Error>

    init(_ client: PostgresClient, _ statement: PostgresStatement) {
        let (taken, released) = (taken, released)
        transaction = Task {
            try await client.withTransaction { transaction in
                _ = try await transaction.query(statement)
                taken.append(())
                try await released.first(1)
            }
        }
    }

    func wait() async throws { try await taken.first(1) }

    func release() async throws {
        released.append(())
        try await transaction.value
    }
}
