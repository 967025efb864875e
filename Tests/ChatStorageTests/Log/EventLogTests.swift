import ChatEvents
import ChatStorage
import CommonUtil
import PostgresClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct EventLogTests {
    /// Five events: a post, a member, a post, the first post's edit, the second post's deletion.
    private func withTalk(_ body: (Store, _ first: Message, _ second: Message) async throws -> Void) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                let first = try await writer.mustStore(draft("first"))
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(cid, as: .member, by: ann) }
                let second = try await writer.mustStore(draft("second", replyTo: first.messageID, key: "k"))
                try await store.edit(first, to: "edited")
                try await store.delete(second)
                try await body(store, first, second)
            }
        }
    }

    @Test func `messages and other events are merged by seq`() async throws {
        try await withTalk { store, first, second in
            let events = try await store.log.events(of: .hall, after: 0, limit: 10).events
            #expect(events.map(\.seq) == [1, 2, 3, 4, 5])
            #expect(events.map(\.roomID) == Array(repeating: .hall, count: 5))
            #expect(
                events.map(\.change.type) == [.message, .memberJoined, .message, .messageEdited, .messageDeleted])
            #expect(events.compactMap(\.message).map(\.messageID) == [first, second, first, second].map(\.messageID))
        }
    }

    @Test func `an event about a message has its present content`() async throws {
        try await withTalk { store, first, second in
            let events = try await store.log.events(of: .hall, after: 0, limit: 10).events
            for event in [events[0], events[3]] {
                #expect(event.message?.contentJSON == #"{"text":"edited"}"#)
                #expect(event.message?.isEdited == true)
            }
            for event in [events[2], events[4]] {
                #expect(event.message?.contentJSON == "{}")
                #expect(event.message?.isDeleted == true)
                #expect(event.message?.replyToMessageID == first.messageID)
                #expect(event.message?.clientMessageID == "k")
            }
            // The message keeps its seq, also in later events about it.
            #expect(events[4].message?.seq == 3)
            #expect(events[4].seq == 5)
        }
    }

    @Test func `is read in pages from any cursor`() async throws {
        try await withTalk { store, _, _ in
            func page(after seq: Seq, limit: Int) async throws -> (seqs: [Seq], hasMore: Bool) {
                let page = try await store.log.events(of: .hall, after: seq, limit: limit)
                return (page.events.map(\.seq), page.hasMore)
            }
            for limit in 1...6 {
                var seqs: [Seq] = []
                var hasMore = true
                while hasMore {
                    let next = try await page(after: seqs.last ?? 0, limit: limit)
                    #expect(next.seqs.count == min(limit, 5 - seqs.count))
                    seqs += next.seqs
                    hasMore = next.hasMore
                }
                #expect(seqs == [1, 2, 3, 4, 5])
            }
            let end = try await page(after: 5, limit: 1)
            #expect(end.seqs == [])
            #expect(!end.hasMore)
            #expect(try await page(after: .max, limit: 1).seqs == [])
            #expect(try await store.log.events(of: .attic, after: 0, limit: 1).events == [])
        }
    }

    @Test func `messages are read back in both directions`() async throws {
        try await withTalk { store, first, second in
            func expect(_ seqs: [Seq], _ hasMore: Bool, before: Seq? = nil, after: Seq? = nil, limit: Int = 10)
                async throws
            {
                let page = try await store.messages.history(of: .hall, before: before, after: after, limit: limit)
                #expect(page.messages.map(\.seq) == seqs)
                #expect(page.hasMore == hasMore)
            }
            try await expect([3, 1], false)
            try await expect([3], true, limit: 1)
            try await expect([1], false, before: 3)
            try await expect([], false, before: 1)
            try await expect([1, 3], false, after: 0)
            try await expect([1], true, after: 0, limit: 1)
            try await expect([3], false, after: 1)
            try await expect([1], false, before: 3, after: 0)

            #expect(try await store.messages.message(first.messageID)?.isEdited == true)
            #expect(try await store.messages.message(second.messageID)?.contentJSON == "{}")
            #expect(try await store.messages.message(MessageID(.max)) == nil)
        }
    }
}
