import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct RoomListRepositoryTests {
    // MARK: The whole list

    @Test func `without a cursor all rooms are returned, newest activity first`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic, .cellar] { try await store.makeRoom(roomID) }
            try await withWriter(store.client) { writer in
                try await writer.mustStore(draft(in: .attic))
                try await writer.mustStore(draft(by: bob, in: .attic))
            }
            _ = try await store.marks.mark(.attic, by: ann, upTo: 2)
            let list = try await store.lists.list(of: ann, since: nil, withSeqAtCursor: true)
            #expect(list.version == 4)
            #expect(list.isAll)
            #expect(list.cursorState == .none)
            #expect(list.entries.map(\.roomID) == [.attic, .cellar, .hall])
            #expect(list.entries.allSatisfy { $0.isChanged && $0.seqAtCursor == nil })
            #expect(list.entries[0].lastSeq == 2)
            #expect(list.entries[0].lastReadSeq == 2)
            #expect(list.removed == [])
        }
    }

    @Test func `a user without rooms has an empty list`() async throws {
        try await withStore { store in
            let cursor = try await store.cursor(of: cid)
            let list = try await store.lists.list(of: cid, since: cursor)
            #expect(list == RoomList(version: 0, cursorState: .valid, entries: [], removed: []))
        }
    }

    @Test func `summaries are those of the list of rooms, of the user's rooms only`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID) }
            try await store.makeRoom(.cellar, .public, members: [bob])
            _ = try await store.rooms.insert(
                RoomID(verified: "pair"), name: "direct", type: .direct, ownerID: ann, memberIDs: [ann, bob])
            try await withWriter(store.client) { writer in
                for roomID in [RoomID.attic, .hall] {
                    for _ in 1...3 { try await writer.mustStore(draft(by: bob, in: roomID)) }
                }
            }
            let all = try await store.rooms.rooms(of: ann, after: nil, limit: 10)
            let asked = [RoomID.attic, .hall, .cellar, RoomID(verified: "none"), RoomID(verified: "pair"), .hall]
            #expect(try await store.lists.summaries(of: ann, in: asked) == all)
            #expect(try await store.lists.summaries(of: ann, in: [.hall]) == [all[0]])
            #expect(try await store.lists.summaries(of: ann, in: []) == [])
            #expect(try await store.lists.summaries(of: cid, in: asked) == [])
        }
    }

    // MARK: Read states and memberships

    @Test func `unread messages are counted up to the requested event`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID) }
            try await store.makeRoom(.cellar, .public, members: [bob])
            try await withWriter(store.client) { writer in
                for number in 1...6 { try await writer.mustStore(draft(by: number == 3 ? ann : bob)) }
            }
            _ = try await store.rooms.withLockedRoom(.hall) { room in
                let fifth = try await store.messages.history(of: .hall, before: 6, after: nil, limit: 1).messages[0]
                try await room.delete(fifth, by: ann)
            }
            func states(upTo seq: Seq) async throws -> [RoomReadState] {
                try await store.lists.readStates(
                    of: ann, in: [(.hall, seq), (.attic, seq), (.cellar, seq), (RoomID(verified: "none"), seq)]
                ).sorted { $0.roomID.rawValue > $1.roomID.rawValue }
            }
            let attic = RoomReadState(roomID: .attic, lastReadSeq: 0, unreadCount: 0)
            // The own post at 3 is a mark, and 5 is deleted.
            for (seq, count) in [(Seq(3), 0), (4, 1), (5, 1), (6, 2), (100, 2)] {
                #expect(
                    try await states(upTo: seq) == [
                        RoomReadState(roomID: .hall, lastReadSeq: 3, unreadCount: count), attic,
                    ])
            }
            _ = try await store.marks.mark(.hall, by: ann, upTo: 4)
            #expect(
                try await states(upTo: 6) == [RoomReadState(roomID: .hall, lastReadSeq: 4, unreadCount: 1), attic])
            #expect(try await store.lists.readStates(of: ann, in: []) == [])
        }
    }

    @Test func `more than 999 unread messages count as 1000 here, too`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.insertMessages(1...1_200)
            func count(upTo seq: Seq) async throws -> Int? {
                try await store.lists.readStates(of: ann, in: [(.hall, seq)]).first?.unreadCount
            }
            #expect(try await count(upTo: 999) == 999)
            #expect(try await count(upTo: 1_200) == 1_000)
        }
    }

    @Test func `memberships are returned with the version that they are of`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID, .public) }
            try await withWriter(store.client) { writer in
                for _ in 1...5 { try await writer.mustStore(draft(by: ann)) }
            }
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(cid, as: .member, by: cid) }
            _ = try await store.marks.mark(.hall, by: cid, upTo: 2)
            let found = try await store.lists.memberships(of: [bob, cid, UserID(9), bob])
            #expect(found.count == 3)
            #expect(found[UserID(9)] == UserMemberships(version: 0, rooms: []))
            #expect(
                found[cid]
                    == UserMemberships(
                        version: 2, rooms: [.init(roomID: .hall, lastReadSeq: 2, joinedSeq: 5)]))
            #expect(found[bob]?.version == 2)
            #expect(Set(found[bob]?.rooms.map(\.roomID) ?? []) == [.hall, .attic])
            #expect(try await store.lists.memberships(of: []) == [:])
            #expect(try await store.lists.versions(of: []) == [:])
        }
    }
}

extension Store {
    /// A cursor at this moment.
    func cursor(of userID: UserID) async throws -> RoomListCursor {
        RoomListCursor(userID: userID, snapshotID: try await lists.takeSnapshot())
    }

    /// Messages of one user that did not come through the writer.
    func insertMessages(_ seqs: ClosedRange<Int>, in roomID: RoomID = .hall, by sender: UserID = bob) async throws {
        try await client.script(
            """
            INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
            SELECT '\(roomID)', seq, \(sender), 'text', '{}', now()
            FROM generate_series(\(seqs.lowerBound), \(seqs.upperBound)) AS seq;
            UPDATE rooms SET last_seq = \(seqs.upperBound) WHERE room_id = '\(roomID)'
            """)
    }
}
