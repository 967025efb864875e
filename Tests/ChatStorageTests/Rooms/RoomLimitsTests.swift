import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomLimitsTests {
    /// Runs changes at once.
    /// - Returns: the errors of those that failed.
    private func refusals(
        _ count: Int, _ change: @escaping @Sendable (Int) async throws -> Void
    ) async throws -> [ErrorCode] {
        try await withThrowingTaskGroup(of: ErrorCode?.self) { group in
            for number in 0..<count {
                group.addTask {
                    do {
                        try await change(number)
                        return nil
                    } catch let error as ChatError {
                        return error.code
                    }
                }
            }
            return try await group.reduce(into: []) { if let code = $1 { $0.append(code) } }
        }
    }

    private func rooms(_ store: Store, roomsPerUser: Int = 0, membersPerRoom: Int = 0) -> RoomRepository {
        RoomRepository(
            ChatDatabase(store.client), limits: RoomLimits(roomsPerUser: roomsPerUser, membersPerRoom: membersPerRoom))
    }

    @Test func `concurrent joins of a nearly full room stay within its limit`() async throws {
        try await withStore { store in
            let rooms = rooms(store, membersPerRoom: 4)
            _ = try await store.makeRoom(.hall, .public, members: [ann])
            let refused = try await refusals(8) { number in
                _ = try await rooms.withLockedRoom(.hall) {
                    try await $0.join(UserID(Int64(100 + number)), as: .member, by: ann)
                }
            }
            #expect(refused == Array(repeating: .roomFull, count: 5))
            #expect(try await rooms.room(.hall)?.memberCount == 4)
            #expect(try await rooms.members(of: .hall, for: ann, after: nil, limit: 10).items?.count == 4)
            // Nothing of those who were refused is in the log.
            #expect(try await store.log.events(of: .hall, after: 0, limit: 10).events.count == 3)
            _ = try await rooms.withLockedRoom(.hall) { try await $0.leave(ann, by: ann) }
            _ = try await rooms.withLockedRoom(.hall) { try await $0.join(ann, as: .member, by: ann) }
        }
    }

    @Test func `concurrent joins of a user stay within the limit of rooms`() async throws {
        try await withStore { store in
            let rooms = rooms(store, roomsPerUser: 3)
            for number in 0..<6 {
                _ = try await rooms.insert(
                    RoomID("r\(number)")!, name: "x", type: .public, ownerID: nil, memberIDs: [])
            }
            let refused = try await refusals(12) { number in
                if number < 6 {
                    _ = try await rooms.withLockedRoom(RoomID("r\(number)")!) {
                        try await $0.join(ann, as: .member, by: ann)
                    }
                } else {
                    _ = try await rooms.insert(
                        RoomID("new\(number)")!, name: "x", type: .group, ownerID: ann, memberIDs: [ann, bob])
                }
            }
            #expect(refused == Array(repeating: .tooManyRooms, count: 9))
            #expect(try await rooms.rooms(of: ann, after: nil, limit: 20).count == 3)
        }
    }

    @Test func `being added counts against the rooms of who adds, and goes on counting when that one leaves`()
        async throws
    {
        try await withStore { store in
            let rooms = rooms(store, roomsPerUser: 3)
            @Sendable func make(_ name: String, by owner: UserID, with others: [UserID]) async throws {
                _ = try await rooms.insert(
                    RoomID(name)!, name: "x", type: .group, ownerID: owner, memberIDs: [owner] + others)
            }
            for number in 0..<3 { try await make("spam\(number)", by: bob, with: [ann, cid]) }
            // The others still have all of theirs.
            for number in 0..<3 { try await make("mine\(number)", by: ann, with: []) }
            #expect(try await refusals(1) { _ in try await make("more", by: bob, with: []) } == [.tooManyRooms])
            #expect(try await refusals(1) { _ in try await make("more", by: ann, with: []) } == [.tooManyRooms])
            // A room that counts already takes any number.
            _ = try await rooms.withLockedRoom(RoomID("spam0")!) {
                for number in 10..<20 { try await $0.join(UserID(Int64(number)), as: .member, by: bob) }
            }
            // One that does not, does not.
            let refused = try await refusals(1) { _ in
                _ = try await rooms.withLockedRoom(RoomID("spam0")!) {
                    try await $0.join(UserID(20), as: .member, by: ann)
                }
            }
            #expect(refused == [.tooManyRooms])
            for number in 0..<3 {
                _ = try await rooms.withLockedRoom(RoomID("spam\(number)")!) { try await $0.leave(bob, by: bob) }
            }
            #expect(try await refusals(1) { _ in try await make("more", by: bob, with: []) } == [.tooManyRooms])
            // Where nobody is left whom one added, the room is none of one's own.
            _ = try await rooms.withLockedRoom(RoomID("spam1")!) {
                try await $0.leave(ann, by: ann)
                try await $0.leave(cid, by: cid)
            }
            try await make("more", by: bob, with: [])
        }
    }

    @Test func `a room cannot be made with more members than it may have`() async throws {
        try await withStore { store in
            let rooms = rooms(store, membersPerRoom: 2)
            let refused = try await refusals(1) { _ in
                _ = try await rooms.insert(.hall, name: "x", type: .group, ownerID: ann, memberIDs: [ann, bob, cid])
            }
            #expect(refused == [.roomFull])
            #expect(try await rooms.insert(.hall, name: "x", type: .group, ownerID: ann, memberIDs: [ann, bob]) != nil)
        }
    }
}
