import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// Batches that are stored all or nothing.
@Suite(.timeLimit(.minutes(2))) struct OptimisticPostingTests {
    private func store(_ drafts: [MessageDraft], in store: Store) async throws -> PostgresRows {
        try await store.client.batch(MessageBatchStatements.commands(for: drafts, isOpen: false, .optimistic))[1]
    }

    @Test func `posts of several rooms, a reply among them, are numbered in the order of posting`() async throws {
        try await withStore { store async throws in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            let first = try await withWriter(store.client) { try await $0.mustStore(draft("0", in: .hall)) }
            let drafts = [
                draft("1", in: .hall), draft("2", by: bob, in: .attic), draft("3", by: bob, in: .hall, key: "k"),
                draft("4", in: .hall, replyTo: first.messageID), draft("5", in: .attic),
            ]
            var seqs = [Seq](repeating: 0, count: drafts.count)
            for row in try await self.store(drafts, in: store) {
                seqs[try row.decode(column: 0)] = try row.decode(column: 3)
            }
            #expect(seqs == [2, 1, 3, 4, 2])
            #expect(try await store.rooms.heads(of: [.hall, .attic]) == [.hall: 4, .attic: 2])
            let page = try await store.messages.history(of: .hall, before: nil, after: 1, limit: 10)
            #expect(page.messages.map(\.seq) == [2, 3, 4])
            #expect(page.messages.map(\.contentJSON) == [0, 2, 3].map { drafts[$0].contentJSON })
            #expect(page.messages.last?.replyToMessageID == first.messageID)
        }
    }

    /// What does not pass, in a store with a room `hall` of `ann` and `bob`, an archived one and a public one.
    private static let refused: [(draft: MessageDraft, refusal: PostRefusal?)] = [
        (draft(by: cid), .roomNotFound), (draft(in: .cellar), .roomArchived),
        (draft(in: RoomID(verified: "nowhere")), .roomNotFound), (draft(by: cid, in: .attic), .notAMember),
        (draft(replyTo: MessageID(.max)), .replyNotFound), (draft("other", key: "k"), .keyReused),
        (draft(key: "k"), nil),
    ]

    private func withRooms(_ body: (Store) async throws -> Void) async throws {
        try await withStore { store async throws in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic, .public)
            try await store.makeRoom(.cellar)
            _ = try await store.rooms.withLockedRoom(.cellar) { try await $0.archive(by: ann) }
            try await withWriter(store.client) { try await $0.mustStore(draft(key: "k")) }
            try await body(store)
        }
    }

    @Test(arguments: refused.indices)
    func `one draft that does not pass refuses all`(index: Int) async throws {
        try await withRooms { store async throws in
            let drafts = [draft("1"), Self.refused[index].draft, draft("2", in: .attic)]
            let error = await #expect(throws: PostgresError.self) { try await self.store(drafts, in: store) }
            #expect(error.map(MessageBatchStatements.isRefusal) == true)
            #expect(try await store.rooms.heads(of: [.hall, .attic, .cellar]) == [.hall: 1, .attic: 0, .cellar: 1])
            #expect(try await store.client.number("SELECT count(*) FROM messages") == 1)
        }
    }

    @Test func `the writer stores what passes of a batch that was refused`() async throws {
        try await withRooms { store async throws in
            var limits = MessageWriter.Limits(validatedSpan: 0)
            limits.batchSize = 2 * Self.refused.count
            let writer = MessageWriter(
                client: store.client, isOpen: false, limits: limits, logger: quiet, onCommit: { _ in })
            let outcomes = try await withThrowingTaskGroup(of: PostOutcome.self) { group in
                for (index, refused) in Self.refused.enumerated() {
                    group.addTask { try await writer.post(draft("\(index)")) }
                    group.addTask { try await writer.post(refused.draft) }
                }
                return try await running(writer) { try await group.reduce(into: []) { $0.append($1) } }
            }
            #expect(Set(outcomes.compactMap(\.stored).map(\.seq)) == Set(2...Seq(Self.refused.count) + 1))
            #expect(outcomes.compactMap(\.repeated).count == 1)
            for refusal in Self.refused.compactMap(\.refusal) { #expect(outcomes.contains(.refused(refusal))) }
            #expect(try await store.rooms.room(.hall)?.lastSeq == Seq(Self.refused.count) + 1)
        }
    }

    /// A room's time of activity is that of the message where a batch was validated, and earlier where the head moved
    /// first.
    @Test(arguments: [0, 64])
    func `batches are validated for the span only`(validatedSpan: Int) async throws {
        try await withStore { store async throws in
            try await store.makeRoom()
            try await withWriter(store.client, limits: .init(validatedSpan: validatedSpan)) { writer in
                try await writer.mustStore(draft())
            }
            let wasFirst = try await store.client.number(
                "SELECT (active_at < sent_at)::integer FROM rooms JOIN messages USING (room_id)")
            #expect(wasFirst == (validatedSpan == 0 ? 1 : 0))
        }
    }
}
