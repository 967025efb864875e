import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// One's own posts are read, whether the mark was written with them or not.
@Suite(.timeLimit(.minutes(2))) struct StoredMarkTests {
    /// A room in which `bob` has posted so often.
    private func withPosts(_ count: Int, _ body: (Store, MessageWriter) async throws -> Void) async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.client.script(
                """
                INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
                SELECT 'hall', seq, 2, 'text', '{}', now() FROM generate_series(1, \(count)) AS seq;
                UPDATE rooms SET last_seq = \(count)
                """)
            try await withWriter(store.client) { try await body(store, $0) }
        }
    }

    private func stored(_ store: Store) async throws -> Int {
        try await store.client.number("SELECT last_read_seq FROM room_members WHERE user_id = 1")
    }

    /// The mark, which all reads return.
    private func mark(_ store: Store) async throws -> Seq {
        let summary = try #require(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first)
        let member = try #require(try await store.rooms.member(ann, of: .hall))
        let listed = try #require(try await store.rooms.members(of: .hall, for: ann, after: nil, limit: 1).items?.first)
        #expect(member.lastReadSeq == summary.lastReadSeq)
        #expect(listed.lastReadSeq == summary.lastReadSeq)
        #expect(summary.unreadCount == Int(summary.room.lastSeq - summary.lastReadSeq))
        return summary.lastReadSeq
    }

    @Test(arguments: [(0, false), (StoredMark.window - 1, false), (StoredMark.window, true), (1_000, true)])
    func `a post is read, and written as read only beyond the window`(before: Int, isWritten: Bool) async throws {
        try await withPosts(before) { store, writer async throws in
            let seq = try await writer.mustStore(draft(by: ann)).seq
            #expect(seq == Seq(before) + 1)
            #expect(try await stored(store) == (isWritten ? before + 1 : 0))
            #expect(try await mark(store) == seq)
            try await writer.mustStore(draft(by: bob))
            #expect(try await mark(store) == seq)
        }
    }

    @Test(arguments: [MessageBatchStatements.Kind.validated, .optimistic])
    func `posts of one batch leave the mark at the last of them`(kind: MessageBatchStatements.Kind) async throws {
        try await withPosts(StoredMark.window - 2) { store, _ async throws in
            let commands = MessageBatchStatements.commands(
                for: (1...5).map { draft("\($0)") }, isOpen: false, kind)
            #expect(try await store.client.batch(commands)[1].count == 5)
            #expect(try await stored(store) == StoredMark.window + 3)
            #expect(try await mark(store) == Seq(StoredMark.window) + 3)
        }
    }

    @Test(arguments: [ann, bob])
    func `a post that is deleted has been read all the same`(deleter: UserID) async throws {
        try await withPosts(3) { store, writer async throws in
            let message = try await writer.mustStore(draft(by: ann))
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.delete(message, by: deleter) }
            let member = try #require(try await store.rooms.member(ann, of: .hall))
            #expect(member.lastReadSeq == message.seq)
        }
    }

    @Test func `marking up to a member's own post does not move the mark`() async throws {
        try await withPosts(3) { store, writer async throws in
            try await writer.mustStore(draft(by: ann))
            for seq in [Seq(2), 4] {
                #expect(
                    try await store.marks.mark(.hall, by: ann, upTo: seq) == ReadMark(lastReadSeq: 4, hasMoved: false))
            }
            try await writer.mustStore(draft(by: bob))
            #expect(
                try await store.marks.mark(.hall, by: ann, upTo: 5)
                    == ReadMark(lastReadSeq: 5, hasMoved: true, version: 2))
        }
    }

    @Test func `who leaves and comes back has read up to the last own post`() async throws {
        try await withPosts(3) { store, writer async throws in
            try await writer.mustStore(draft(by: ann))
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(ann, by: ann) }
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(ann, as: .member, by: bob) }
            #expect(try await store.rooms.member(ann, of: .hall)?.lastReadSeq == 4)
        }
    }

    /// `trusted` mode: anyone may post to a public room.
    @Test func `what was posted before joining marks nothing, also when it is deleted`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public, members: [bob])
            try await withWriter(store.client, isOpen: true) { writer async throws in
                try await writer.mustStore(draft(by: bob))
                let early = try await writer.mustStore(draft(by: ann))
                for _ in 0..<3 { try await writer.mustStore(draft(by: bob)) }
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(ann, as: .member, by: ann) }
                #expect(try await store.rooms.member(ann, of: .hall)?.lastReadSeq == 0)
                #expect(
                    try await store.marks.mark(.hall, by: ann, upTo: 1)
                        == ReadMark(lastReadSeq: 1, hasMoved: true, version: 2))
                #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first?.lastReadSeq == 1)
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.delete(early, by: bob) }
                #expect(try await store.rooms.rooms(of: ann, after: nil, limit: 1).first?.unreadCount == 3)
                let late = try await writer.mustStore(draft(by: ann))
                #expect(try await store.rooms.member(ann, of: .hall)?.lastReadSeq == late.seq)
            }
        }
    }
}
