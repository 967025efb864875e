import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomRepositoryTests {
    // MARK: Making

    @Test func `a new room has its members, its maker as owner, and an empty log`() async throws {
        try await withStore { store in
            let room = try await store.makeRoom(.hall, .private, name: "The Hall", members: [bob, ann, cid])
            #expect(room.name == "The Hall")
            #expect(room.type == .private)
            #expect(room.ownerID == bob)
            #expect(room.memberCount == 3)
            #expect(room.lastSeq == 0)
            #expect(!room.isArchived)
            #expect(try await store.rooms.room(.hall) == room)
            let members = try #require(
                try await store.rooms.members(of: .hall, for: ann, after: nil, limit: 10).items)
            #expect(members.map(\.userID) == [ann, bob, cid])
            #expect(members.map(\.role) == [.member, .owner, .member])
            #expect(members.allSatisfy { $0.lastReadSeq == 0 })
            #expect(try await store.log.events(of: .hall, after: 0, limit: 10).events == [])
        }
    }

    @Test func `an id is given once`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, members: [ann])
            #expect(
                try await store.rooms.insert(.hall, name: "x", type: .public, ownerID: bob, memberIDs: [bob]) == nil)
            #expect(try await store.rooms.member(bob, of: .hall) == nil)
            #expect(try await store.rooms.room(.attic) == nil)
        }
    }

    @Test func `a pair has one direct room, in either order`() async throws {
        try await withStore { store in
            @Sendable func make(_ number: Int) async throws -> Room? {
                let pair = number.isMultiple(of: 2) ? DirectPair(ann, bob) : DirectPair(bob, ann)
                return try await store.rooms.insert(
                    .random(), name: "direct", type: .direct, ownerID: nil, memberIDs: [ann, bob], directPair: pair)?
                    .room
            }
            let made = try await withThrowingTaskGroup(of: Room?.self) { group in
                for number in 0..<8 { group.addTask { try await make(number) } }
                return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
            }
            let room = try #require(made.first)
            #expect(made.count == 1)
            #expect(try await store.rooms.directRoom(DirectPair(ann, bob)) == room)
            #expect(try await store.rooms.directRoom(DirectPair(bob, ann)) == room)
            #expect(try await store.rooms.directRoom(DirectPair(ann, cid)) == nil)
            // The loser's members are in no room that is not there.
            #expect(try await store.client.number("SELECT count(*) FROM room_members") == 2)
        }
    }

    @Test func `a room that everyone may make is made once`() async throws {
        try await withStore { store in
            try await store.rooms.makeOpenRoom(.hall)
            try await store.rooms.makeOpenRoom(.hall)
            let room = try #require(try await store.rooms.room(.hall))
            #expect(room.type == .public)
            #expect(room.name == "hall")
            #expect(room.ownerID == nil)
            #expect(room.memberCount == 0)
        }
    }

    // MARK: Reading

    @Test func `access has the room, the role and the visibility`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall, .group, members: [ann])
            try await store.makeRoom(.attic, .public, members: [ann])
            let owner = try #require(try await store.rooms.access(to: .hall, of: ann))
            #expect(owner.role == .owner)
            #expect(owner.isVisible(for: ann))
            let stranger = try #require(try await store.rooms.access(to: .hall, of: bob))
            #expect(stranger.role == nil)
            #expect(!stranger.isVisible(for: bob))
            let listener = try #require(try await store.rooms.access(to: .attic, of: nil))
            #expect(listener.role == nil)
            #expect(listener.isVisible(for: nil))
            // The installation sees every room, and is a member of none.
            let installation = try #require(try await store.rooms.access(to: .hall, of: .installation))
            #expect(installation.role == nil)
            #expect(installation.isVisible(for: .installation))
            #expect(try await store.rooms.access(to: .cellar, of: ann) == nil)
            // Asked together, the same, in order.
            let asked: [(RoomID, UserID?)] = [
                (.attic, nil), (.cellar, ann), (.hall, bob), (.hall, ann), (.hall, bob),
            ]
            let together = try await store.rooms.admissions(asked.map { RoomAccessQuery(roomID: $0, userID: $1) })
            #expect(together.map { $0?.access } == [listener, nil, stranger, owner, stranger])
            #expect(try await store.rooms.admissions([]).isEmpty)
        }
    }

    @Test func `members come in pages by id`() async throws {
        try await withStore { store in
            try await store.makeRoom(members: (1...5).map { UserID($0) })
            func page(after userID: UserID?, limit: Int) async throws -> [Int64] {
                try #require(
                    try await store.rooms.members(of: .hall, for: ann, after: userID, limit: limit).items
                ).map(\.userID.rawValue)
            }
            #expect(try await page(after: nil, limit: 2) == [1, 2])
            #expect(try await page(after: UserID(2), limit: 2) == [3, 4])
            #expect(try await page(after: UserID(4), limit: 2) == [5])
            #expect(try await store.rooms.members(of: .attic, for: ann, after: nil, limit: 2) == .noRoom)
            #expect(try await store.rooms.members(of: .hall, for: UserID(9), after: nil, limit: 2) == .hidden)
        }
    }

    @Test func `heads are those of the rooms that are there`() async throws {
        try await withStore { store in
            try await store.makeRoom(.hall)
            try await store.makeRoom(.attic)
            try await withWriter(store.client) { try await $0.mustStore(draft()) }
            #expect(try await store.rooms.heads(of: [.hall, .attic, .cellar]) == [.hall: 1, .attic: 0])
            #expect(try await store.rooms.heads(of: []) == [:])
        }
    }

    // MARK: Under the lock

    @Test func `a room that does not exist cannot be locked`() async throws {
        try await withStore { store in
            let outcome = try await store.rooms.withLockedRoom(.hall) { $0.room }
            #expect(outcome == nil)
        }
    }

    @Test func `what fails under the lock has changed nothing`() async throws {
        struct Refused: Error {}
        try await withStore { store in
            let room = try await store.makeRoom()
            await #expect(throws: Refused.self) {
                _ = try await store.rooms.withLockedRoom(.hall) { room in
                    try await room.join(cid, as: .member, by: ann)
                    try await room.rename(to: "x", by: ann)
                    throw Refused()
                }
            }
            #expect(try await store.rooms.room(.hall) == room)
            #expect(try await store.rooms.member(cid, of: .hall) == nil)
            #expect(try await store.log.events(of: .hall, after: 0, limit: 10).events == [])
        }
    }
}
