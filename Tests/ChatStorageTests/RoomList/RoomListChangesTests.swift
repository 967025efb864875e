import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// What changed since a cursor.
@Suite(.timeLimit(.minutes(2))) struct RoomListChangesTests {
    private static let pair = RoomID(verified: "pair")

    /// A change that a list has to tell to ann.
    private struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let run: @Sendable (inout LockedRoom) async throws -> Void

        init(_ name: String, _ run: @escaping @Sendable (inout LockedRoom) async throws -> Void) {
            testDescription = name
            self.run = run
        }
    }

    private static let changes = [
        Change("rename") { try await $0.rename(to: "x", by: bob) },
        Change("archive") { try await $0.archive(by: bob) },
        Change("join of another") { try await $0.join(cid, as: .member, by: bob) },
        Change("role") { try await $0.setRole(.admin, of: ann, by: bob) },
        Change("left and back") { room in
            try await room.leave(ann, by: ann)
            try await room.join(ann, as: .member, by: ann)
        },
    ]

    @Test(arguments: changes)
    private func `a change is returned, and nothing else`(change: Change) async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic, .cellar] { try await store.makeRoom(roomID, .public) }
            let before = try await store.cursor(of: ann)
            _ = try await store.rooms.withLockedRoom(.hall, change.run)
            let after = try await store.cursor(of: ann)
            let list = try await store.lists.list(of: ann, since: before)
            #expect(list.cursorState == .valid)
            #expect(!list.isAll)
            #expect(list.changed == [.hall])
            #expect(list.entries.count == 3)
            #expect(list.removed == [])
            #expect(try await store.lists.list(of: ann, since: after).changed == [])
        }
    }

    /// In a transaction that began before the snapshot and was committed after it, ids and times would pass over the
    /// change.
    @Test(arguments: changes)
    private func `a change that is committed late is returned`(change: Change) async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID, .public) }
            let late = try #require(
                try await store.rooms.withLockedRoom(.hall) { room in
                    try await change.run(&room)
                    // Later transactions are committed before this one.
                    try await store.makeRoom(.cellar)
                    return try await store.cursor(of: ann)
                })
            #expect(try await store.lists.list(of: ann, since: late.result).changed == [.hall])
            let after = try await store.cursor(of: ann)
            #expect(try await store.lists.list(of: ann, since: after).changed == [])
        }
    }

    @Test func `posts, own posts, marks and new rooms are returned`() async throws {
        try await withStore { store in
            let rooms = (0..<5).map { RoomID(verified: "r\($0)") }
            for roomID in rooms { try await store.makeRoom(roomID) }
            try await withWriter(store.client) { writer in
                for roomID in rooms { try await writer.mustStore(draft(by: bob, in: roomID)) }
                let cursor = try await store.cursor(of: ann)
                #expect(try await store.lists.list(of: ann, since: cursor).changed == [])
                try await writer.mustStore(draft(by: bob, in: rooms[0]))
                try await writer.mustStore(draft(by: ann, in: rooms[1]))
                _ = try await store.marks.mark(rooms[2], by: ann, upTo: 1)
                // Another's mark is not the user's.
                _ = try await store.marks.mark(rooms[3], by: bob, upTo: 1)
                try await store.makeRoom(.hall)
                let list = try await store.lists.list(of: ann, since: cursor)
                #expect(list.changed == [rooms[0], rooms[1], rooms[2], .hall])
                #expect(list.entries.map(\.roomID) == [.hall, rooms[1], rooms[0], rooms[4], rooms[3], rooms[2]])
                #expect(list.entries.first { $0.roomID == rooms[2] }?.lastReadSeq == 1)
                #expect(list.version == 7)
            }
        }
    }

    @Test func `edits and deletions are returned`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic] { try await store.makeRoom(roomID) }
            try await withWriter(store.client) { writer in
                let message = try await writer.mustStore(draft(by: bob))
                let other = try await writer.mustStore(draft(by: bob, in: .attic))
                let first = try await store.cursor(of: ann)
                try await store.edit(message, to: "y")
                let second = try await store.cursor(of: ann)
                #expect(try await store.lists.list(of: ann, since: first).changed == [.hall])
                try await store.delete(other)
                #expect(try await store.lists.list(of: ann, since: second).changed == [.attic])
                #expect(try await store.lists.list(of: ann, since: first).changed == [.hall, .attic])
            }
        }
    }

    // MARK: Removals

    @Test func `a removal is returned once, and a return takes it back`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public)
            try await store.makeRoom(.attic, members: [ann, bob, cid])
            let first = try await store.cursor(of: ann)
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(ann, by: ann) }
            // Removed by another, and has read nothing: no mark is kept, but the list must know.
            _ = try await store.rooms.withLockedRoom(.attic) { try await $0.leave(ann, by: bob) }
            let gone = try await store.lists.list(of: ann, since: first)
            #expect(gone.entries == [])
            #expect(Set(gone.removed) == [.hall, .attic])
            let second = try await store.cursor(of: ann)
            #expect(try await store.lists.list(of: ann, since: second).removed == [])

            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(ann, as: .member, by: ann) }
            let back = try await store.lists.list(of: ann, since: first)
            #expect(back.changed == [.hall])
            #expect(back.removed == [.attic])
            #expect(try await store.lists.list(of: ann, since: second).changed == [.hall])
            #expect(try await store.lists.list(of: ann, since: second).removed == [])

            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(ann, by: ann) }
            #expect(try await store.lists.list(of: ann, since: second).removed == [.hall])
            #expect(try await store.lists.list(of: bob, since: nil).removed == [])
        }
    }

    @Test func `a removal that is committed late is returned`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .public)
            let late = try #require(
                try await store.rooms.withLockedRoom(.hall) { room in
                    try await room.leave(ann, by: bob)
                    return try await store.cursor(of: ann)
                })
            #expect(try await store.lists.list(of: ann, since: late.result).removed == [.hall])
        }
    }

    // MARK: Names

    @Test func `a direct room is returned when the other one's name changes`() async throws {
        try await withStore { store in
            let one = try #require(
                try await store.users.insert(username: "ann", displayName: "Ann", passwordHash: "")?.userID)
            let other = try #require(
                try await store.users.insert(username: "bob", displayName: "Bob", passwordHash: "")?.userID)
            _ = try await store.rooms.insert(
                Self.pair, name: "direct", type: .direct, ownerID: one, memberIDs: [one, other],
                directPair: DirectPair(one, other))
            // A room with the same two that does not have the name.
            try await store.makeRoom(.hall, members: [one, other])
            let cursor = try await store.cursor(of: one)
            let others = try await store.cursor(of: other)
            _ = try await store.users.change(other, displayName: "Robert", whoMayAdd: nil)
            let list = try await store.lists.list(of: one, since: cursor)
            #expect(list.changed == [Self.pair])
            #expect(try await store.lists.summaries(of: one, in: Array(list.changed)).map(\.room.name) == ["Robert"])
            #expect(try await store.lists.list(of: other, since: others).changed == [])
        }
    }

    // MARK: Heads as of the cursor

    @Test func `the heads as of a cursor are where its events end`() async throws {
        try await withStore { store in
            for roomID in [RoomID.hall, .attic, .cellar] { try await store.makeRoom(roomID, .public) }
            try await withWriter(store.client) { writer in
                for _ in 1...4 { try await writer.mustStore(draft(by: bob)) }
                for _ in 1...3 { try await writer.mustStore(draft(by: bob, in: .attic)) }
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.rename(to: "x", by: bob) }
                let cursor = try await store.cursor(of: ann)
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.rename(to: "y", by: bob) }
                for _ in 1...4 { try await writer.mustStore(draft(by: bob)) }
                _ = try await store.marks.mark(.attic, by: ann, upTo: 2)
                try await writer.mustStore(draft(by: bob, in: .cellar))
                try await store.makeRoom(RoomID(verified: "new"))
                let list = try await store.lists.list(of: ann, since: cursor, withSeqAtCursor: true)
                #expect(list.heads == ["hall": 5, "attic": 3, "cellar": 0, "new": 0])
                #expect(try await store.lists.list(of: ann, since: cursor).heads == [:])
            }
        }
    }

    @Test func `an edit since makes the head as of the cursor lower, never higher`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                var messages: [Message] = []
                for _ in 1...4 { messages.append(try await writer.mustStore(draft(by: bob))) }
                let cursor = try await store.cursor(of: ann)
                func head() async throws -> Seq? {
                    try await store.lists.list(of: ann, since: cursor, withSeqAtCursor: true).heads["hall"]
                }
                try await store.edit(messages[1], to: "y")
                #expect(try await head() == 4)
                try await store.edit(messages[3], to: "y")
                #expect(try await head() == 3)
                for message in messages { try await store.delete(message) }
                #expect(try await head() == 0)
            }
        }
    }

    @Test func `posts that are committed late come after the head as of the cursor`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await store.insertMessages(1...3)
            let cursor = try await store.client.withTransaction { transaction in
                _ = try await transaction.query(
                    """
                    INSERT INTO messages (room_id, seq, sender_id, type, content, sent_at)
                    VALUES ('hall', 4, 2, 'text', '{}', now())
                    """)
                _ = try await transaction.query("UPDATE rooms SET last_seq = 4")
                return try await store.cursor(of: ann)
            }
            let list = try await store.lists.list(of: ann, since: cursor, withSeqAtCursor: true)
            #expect(list.heads == ["hall": 3])
        }
    }
}

extension RoomList {
    /// The rooms that may have changed.
    var changed: Set<RoomID> { Set(entries.filter(\.isChanged).map(\.roomID)) }

    /// The heads as of the cursor, where they are known.
    var heads: [String: Seq] {
        entries.reduce(into: [:]) { heads, entry in heads[entry.roomID.rawValue] = entry.seqAtCursor }
    }
}
