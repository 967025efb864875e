import ChatEvents
import CommonUtil
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct WhoMayAddTests {
    private func user(_ store: Store, _ name: String, _ whoMayAdd: WhoMayAdd) async throws -> UserID {
        let user = try #require(try await store.users.insert(username: name, displayName: name, passwordHash: ""))
        _ = try await store.users.change(user.userID, displayName: nil, whoMayAdd: whoMayAdd)
        return user.userID
    }

    @Test func `everyone, those who share a room that is not archived, or nobody`() async throws {
        try await withStore { store in
            let open = try await user(store, "open", .everyone)
            let shared = try await user(store, "shared", .shared)
            let closed = try await user(store, "closed", .nobody)
            let adder = try await user(store, "adder", .nobody)
            func refusing(_ userIDs: [UserID]) async throws -> UserID? {
                try await store.users.firstNotAddable(of: userIDs, by: adder)
            }
            // Who is not registered, and oneself, are no question.
            #expect(try await refusing([open, adder, UserID(999)]) == nil)
            #expect(try await refusing([]) == nil)
            #expect(try await refusing([open, closed]) == closed)
            #expect(try await refusing([shared]) == shared)

            try await store.makeRoom(.hall, .group, members: [open, shared, closed])
            #expect(try await refusing([shared]) == shared)
            try await store.makeRoom(.attic, .group, members: [shared, adder, closed])
            #expect(try await refusing([shared]) == nil)
            #expect(try await refusing([shared, closed]) == closed)
            _ = try await store.rooms.withLockedRoom(.attic) { try await $0.archive(by: shared) }
            #expect(try await refusing([shared]) == shared)
        }
    }

    @Test func `under the lock the answer is the same`() async throws {
        try await withStore { store in
            let closed = try await user(store, "closed", .nobody)
            let adder = UserID(999)
            try await store.makeRoom(members: [adder])
            let answers = try await store.rooms.withLockedRoom(.hall) { room in
                [try await room.mayAdd(closed, by: adder), try await room.mayAdd(UserID(998), by: adder)]
            }
            #expect(answers?.result == [false, true])
        }
    }
}
