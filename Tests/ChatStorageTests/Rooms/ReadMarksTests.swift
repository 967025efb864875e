import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct ReadMarksTests {
    private func withFivePosts(_ type: RoomType = .group, _ body: (Store) async throws -> Void) async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, type)
            try await withWriter(store.client) { writer in
                for _ in 1...5 { try await writer.mustStore(draft(by: ann)) }
            }
            try await body(store)
        }
    }

    @Test func `the read mark only moves forward and not beyond the head`() async throws {
        try await withFivePosts { store async throws in
            func mark(_ seq: Seq) async throws -> [String] {
                let mark = try await store.marks.mark(.hall, by: bob, upTo: seq)
                return ["\(mark.lastReadSeq)", "\(mark.hasMoved)"]
            }
            #expect(try await mark(0) == ["0", "false"])
            #expect(try await mark(3) == ["3", "true"])
            #expect(try await mark(3) == ["3", "false"])
            #expect(try await mark(2) == ["3", "false"])
            #expect(try await mark(-7) == ["3", "false"])
            #expect(try await mark(.max) == ["5", "true"])
            #expect(try await store.rooms.member(bob, of: .hall)?.lastReadSeq == 5)
        }
    }

    @Test func `concurrent marks leave the furthest, and each returns a mark that is not behind its own`() async throws
    {
        try await withFivePosts { store async throws in
            let marks = try await withThrowingTaskGroup(of: (asked: Seq, mark: ReadMark).self) { group in
                for number in 0..<40 {
                    let seq = Seq(number % 5 + 1)
                    group.addTask { (seq, try await store.marks.mark(.hall, by: bob, upTo: seq)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(marks.allSatisfy { $0.mark.lastReadSeq >= $0.asked })
            // Only the call that moved it returns that.
            let news = marks.filter(\.mark.hasMoved).map(\.mark.lastReadSeq)
            #expect(Set(news).count == news.count)
            #expect(news.max() == 5)
            #expect(try await store.rooms.member(bob, of: .hall)?.lastReadSeq == 5)
        }
    }

    @Test(arguments: [RoomType.public, .group])
    func `strangers are refused as they are elsewhere`(type: RoomType) async throws {
        try await withFivePosts(type) { store async throws in
            await #expect(throws: ChatError(type == .public ? .notAMember : .roomNotFound)) {
                try await store.marks.mark(.hall, by: cid, upTo: 1)
            }
            await #expect(throws: ChatError(.roomNotFound)) {
                try await store.marks.mark(.attic, by: bob, upTo: 1)
            }
        }
    }

    @Test func `in trusted mode a non-member's mark in a public room is published, not stored`() async throws {
        try await withFivePosts(.public) { store async throws in
            let marks = ReadMarks(rooms: store.rooms, authMode: .trusted)
            try await store.makeRoom(.attic, .private)
            for _ in 0..<2 {
                #expect(try await marks.mark(.hall, by: cid, upTo: 9) == ReadMark(lastReadSeq: 5, hasMoved: true))
            }
            #expect(try await marks.mark(.hall, by: cid, upTo: 0) == ReadMark(lastReadSeq: 0, hasMoved: false))
            #expect(
                try await marks.mark(.hall, by: bob, upTo: 2) == ReadMark(lastReadSeq: 2, hasMoved: true, version: 3))
            #expect(try await marks.mark(.hall, by: bob, upTo: 2) == ReadMark(lastReadSeq: 2, hasMoved: false))
            #expect(try await store.rooms.member(cid, of: .hall) == nil)
            await #expect(throws: ChatError(.roomNotFound)) { try await marks.mark(.attic, by: cid, upTo: 1) }
            // A room that is not there is made on first use.
            #expect(try await marks.mark(.cellar, by: cid, upTo: 1) == ReadMark(lastReadSeq: 0, hasMoved: false))
            #expect(try await store.rooms.room(.cellar)?.type == .public)
        }
    }
}
