import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct LockedRoomTests {
    @Test func `every change is an event with the next seq, as in the log`() async throws {
        try await withStore { store in
            let before = try await store.makeRoom(.hall, .public, members: [ann])
            let outcome = try #require(
                try await store.rooms.withLockedRoom(.hall) { room in
                    try await room.join(bob, as: .member, by: bob)
                    try await room.join(cid, as: .admin, by: ann)
                    try await room.setRole(.admin, of: bob, by: ann)
                    try await room.rename(to: "The Hall", by: ann)
                    try await room.leave(cid, by: ann)
                    try await room.archive(by: ann)
                    return (room.now, room.room)
                })
            let (now, room) = outcome.result
            #expect(
                outcome.events.map(\.change) == [
                    .memberJoined(bob, role: .member, by: bob, at: now),
                    .memberJoined(cid, role: .admin, by: ann, at: now),
                    .memberRoleChanged(bob, role: .admin, by: ann, at: now),
                    .roomUpdated(name: "The Hall", by: ann, at: now),
                    .memberLeft(cid, by: ann, at: now),
                    .roomArchived(name: "The Hall", by: ann, at: now),
                ])
            #expect(outcome.events.map(\.seq) == [1, 2, 3, 4, 5, 6])
            #expect(try await store.log.events(of: .hall, after: 0, limit: 10).events == outcome.events)
            #expect(now > before.createdAt)

            // What the transaction saw is what is stored.
            #expect(try await store.rooms.room(.hall) == room)
            #expect(room.name == "The Hall")
            #expect(room.memberCount == 2)
            #expect(room.lastSeq == 6)
            #expect(room.archivedAt == now)
            #expect(try await store.rooms.member(bob, of: .hall)?.role == .admin)
            #expect(try await store.rooms.member(cid, of: .hall) == nil)
        }
    }

    @Test func `the owner's seat is given on without an event, and can be empty`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            let handed = try await store.rooms.withLockedRoom(.hall) { room in
                try await room.setOwner(bob)
                return room.room.ownerID
            }
            #expect(handed?.result == bob)
            #expect(handed?.events == [])
            let emptied = try await store.rooms.withLockedRoom(.hall) { room in
                try await room.setOwner(nil)
                return room.room
            }
            #expect(emptied?.result.ownerID == nil)
            #expect(try await store.rooms.room(.hall)?.ownerID == nil)
        }
    }

    @Test func `an owner is followed by the admin who is there longest, else of those who posted the member who is`()
        async throws
    {
        try await withStore { store in
            try await store.makeRoom(members: [ann])
            @Sendable func successor() async throws -> UserID? {
                let outcome = try await store.rooms.withLockedRoom(.hall) { try await $0.successor(of: ann) }
                return outcome?.result
            }
            #expect(try await successor() == nil)
            for userID in [cid, bob, UserID(4)] {
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.join(userID, as: .member, by: ann) }
            }
            // Nobody asked for it, and nobody has said anything.
            #expect(try await successor() == nil)
            try await withWriter(store.client) { writer in
                try await store.delete(writer.mustStore(draft("taken back", by: cid)))
                for userID in [UserID(4), bob, bob] { try await writer.mustStore(draft("Hello", by: userID)) }
            }
            #expect(try await successor() == bob)
            for userID in [UserID(4), cid] {
                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.setRole(.admin, of: userID, by: ann) }
            }
            #expect(try await successor() == cid)
        }
    }

    @Test func `who leaves has left until they come back by themselves; who is removed has not`() async throws {
        try await withStore { store in
            try await store.makeRoom(members: [ann, bob])
            @Sendable func hasLeft() async throws -> Bool? {
                try await store.rooms.withLockedRoom(.hall) { try await $0.hasLeft(bob) }?.result
            }
            @Sendable func change(_ body: @escaping @Sendable (inout LockedRoom) async throws -> Void) async throws {
                _ = try await store.rooms.withLockedRoom(.hall, body)
            }
            try await change { try await $0.leave(bob, by: ann) }
            #expect(try await hasLeft() == false)
            try await change { try await $0.join(bob, as: .member, by: ann) }
            try await change { try await $0.leave(bob, by: bob) }
            #expect(try await hasLeft() == true)
            try await change { try await $0.join(bob, as: .member, by: bob) }
            try await change { try await $0.leave(bob, by: ann) }
            #expect(try await hasLeft() == false)
        }
    }

    @Test func `changes and posts at once stand in one order without a gap`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask { try await writer.mustStore(draft("\(number)", by: bob)) }
                        group.addTask {
                            _ = try await store.rooms.withLockedRoom(.hall) { room in
                                try await room.rename(to: "\(number)", by: ann)
                                try await room.join(UserID(Int64(100 + number)), as: .member, by: ann)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let events = try await store.log.events(of: .hall, after: 0, limit: 100).events
            #expect(events.map(\.seq) == Array(1...60))
            let room = try #require(try await store.rooms.room(.hall))
            #expect(room.lastSeq == 60)
            #expect(room.memberCount == 22)
        }
    }

    @Test func `a post that waits while its sender is removed is not stored`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                let outcome = try #require(
                    try await store.rooms.withLockedRoom(.hall) { room in
                        let post = Task { try await writer.post(draft(by: bob)) }
                        try await store.client.waitForBlockedSessions(1)
                        try await room.leave(bob, by: ann)
                        return post
                    })
                #expect(try await outcome.result.value == .refused(.roomNotFound))
                let events = try await store.log.events(of: .hall, after: 0, limit: 10).events
                #expect(events == outcome.events)
                #expect(try await writer.mustStore(draft(by: ann)).seq == 2)
            }
        }
    }

    @Test func `no post of a removed member lands after the removal`() async throws {
        try await withStore { store in
            try await store.makeRoom()
            try await withWriter(store.client) { writer in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<100 {
                        group.addTask { _ = try await writer.post(draft("\(number)", by: bob)) }
                        if number == 50 {
                            group.addTask {
                                _ = try await store.rooms.withLockedRoom(.hall) { try await $0.leave(bob, by: ann) }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            let events = try await store.log.events(of: .hall, after: 0, limit: 200).events
            #expect(events.map(\.seq) == Array(1...Seq(events.count)))
            #expect(events.last?.change.type == .memberLeft)
        }
    }
}
