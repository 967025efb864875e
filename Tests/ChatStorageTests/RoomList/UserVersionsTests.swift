import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct UserVersionsTests {
    private func versions(_ store: Store) async throws -> [Int64] {
        let versions = try await store.lists.versions(of: [ann, bob, cid])
        return [ann, bob, cid].map { versions[$0] ?? -1 }
    }

    @Test func `each change of a membership raises the version of the user that it is about`() async throws {
        try await withStore { store in
            #expect(try await versions(store) == [0, 0, 0])
            try await store.makeRoom(.hall, .public, members: [ann, bob])
            #expect(try await versions(store) == [1, 1, 0])
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(cid, as: .member, by: ann) }
            #expect(try await versions(store) == [1, 1, 1])
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(cid, by: ann) }
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(bob, by: bob) }
            #expect(try await versions(store) == [1, 2, 2])
            _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(cid, as: .member, by: cid) }
            #expect(try await versions(store) == [1, 2, 3])
        }
    }

    @Test func `a mark that moves raises it; posts and other changes of a room do not`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, members: [ann, bob])
            try await withWriter(store.client) { writer in
                for _ in 0..<300 { try await writer.mustStore(draft(by: bob)) }
            }
            _ = try await store.rooms.withLockedRoom(.hall) { room in
                try await room.rename(to: "x", by: ann)
                try await room.setRole(.admin, of: bob, by: ann)
            }
            #expect(try await versions(store) == [1, 1, 0])
            #expect(
                try await store.marks.mark(.hall, by: ann, upTo: 7)
                    == ReadMark(lastReadSeq: 7, hasMoved: true, version: 2))
            #expect(try await store.marks.mark(.hall, by: ann, upTo: 7) == ReadMark(lastReadSeq: 7, hasMoved: false))
            #expect(try await versions(store) == [2, 1, 0])
        }
    }

    @Test func `a change that is refused or rolled back raises nothing`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, members: [ann])
            await #expect(throws: ChatError(.notAddable)) {
                _ = try await store.rooms.withLockedRoom(.hall) { room in
                    try await room.join(bob, as: .member, by: ann)
                    throw ChatError(.notAddable)
                }
            }
            #expect(
                try await store.rooms.insert(.hall, name: "x", type: .group, ownerID: bob, memberIDs: [bob]) == nil)
            #expect(try await versions(store) == [1, 0, 0])
        }
    }

    // MARK: What is published

    @Test func `those who become members are returned, with their versions`() async throws {
        try await withStore { store in
            let made = try #require(
                try await store.rooms.insert(.hall, name: "x", type: .group, ownerID: ann, memberIDs: [ann, bob]))
            func added(_ userID: UserID, _ version: Int64, seq: Seq) -> UserChange {
                UserChange(userID: userID, version: version, roomID: .hall, kind: .roomAdded, seq: seq)
            }
            #expect(
                made.userChanges.sorted { $0.userID < $1.userID } == [added(ann, 1, seq: 0), added(bob, 1, seq: 0)])
            let changed = try #require(
                try await store.rooms.withLockedRoom(.hall) { room in
                    try await room.join(cid, as: .member, by: ann)
                    try await room.rename(to: "y", by: ann)
                    try await room.leave(bob, by: ann)
                })
            #expect(changed.userChanges == [added(cid, 1, seq: 1)])
            #expect(changed.events.first?.seq == 1)
            let again = try #require(
                try await store.rooms.withLockedRoom(.hall) { try await $0.join(bob, as: .member, by: ann) })
            #expect(again.userChanges == [added(bob, 3, seq: 4)])
            let open = try #require(
                try await store.rooms.insert(.attic, name: "x", type: .public, ownerID: nil, memberIDs: []))
            #expect(open.userChanges == [])
        }
    }

    // MARK: Concurrency

    /// Rooms with the same members in other orders, an owner who leaves to another, marks, and members who come and go,
    /// all at once: nobody waits in a circle, and each change counts once.
    @Test func `concurrent changes of the same users neither fail nor lose a version`() async throws {
        try await withStore { store in
            let members = (1...12).map { UserID(Int64($0)) }
            let rooms = (0..<4).map { RoomID(verified: "r\($0)") }
            for roomID in rooms { try await store.makeRoom(roomID, .public, members: members) }
            try await withWriter(store.client) { writer in
                for roomID in rooms { for _ in 1...20 { try await writer.mustStore(draft(in: roomID)) } }
            }
            let moved = try await withThrowingTaskGroup(of: Int.self) { group in
                for round in 0..<20 {
                    group.addTask {
                        let made = try await store.rooms.insert(
                            .random(), name: "x", type: .group, ownerID: nil, memberIDs: members.shuffled())
                        return try #require(made).userChanges.count
                    }
                    group.addTask {
                        let (first, second) = (members[1 + round % 11], members[1 + (round * 7 + 3) % 11])
                        let changed = try await store.rooms.withLockedRoom(rooms[round % 4]) { room in
                            try await room.leave(first, by: first)
                            try await room.setRole(.admin, of: second, by: ann)
                            try await room.join(first, as: .member, by: first)
                        }
                        return try #require(changed).userChanges.count
                    }
                    for userID in members.shuffled() {
                        group.addTask {
                            let mark = try await store.marks.mark(rooms[round % 4], by: userID, upTo: Seq(round))
                            return mark.version == nil ? 0 : 1
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            let versions = try await store.lists.versions(of: members)
            #expect(versions.values.reduce(0, +) == Int64(moved + rooms.count * members.count))
        }
    }
}
