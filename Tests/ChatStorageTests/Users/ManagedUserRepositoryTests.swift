import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct ManagedUserRepositoryTests {
    private let nothing = ManagedUserRepository.Change(displayName: nil, username: nil, isDisabled: nil)

    private func put(
        _ users: ManagedUserRepository, _ id: String, _ change: ManagedUserRepository.Change? = nil
    ) async throws -> (user: ManagedUser, isNew: Bool)? {
        let result = try await users.put(ExternalID(verified: id), change ?? nothing, defaultName: "default")
        guard case .done(let user, let isNew, _) = result else { return nil }
        return (user, isNew)
    }

    @Test func `disabling ends the sign-ins that there are, and a login in progress`() async throws {
        try await withStore { store in
            let users = ManagedUserRepository(ChatDatabase(store.client))
            let user = try #require(try await put(users, "a")).user.user
            let expiry = Timestamp(microseconds: Timestamp.now.microseconds + 900_000_000)
            let signIn = try #require(
                try await store.tokens.beginWithoutRefresh(of: user.userID, hash: [1], accessExpiresAt: expiry))
            let disabled = ManagedUserRepository.Change(displayName: nil, username: nil, isDisabled: true)
            let result = try await users.put(ExternalID(verified: "a"), disabled, defaultName: "")
            guard case .done(let managed, let isNew, let ended?) = result else {
                Issue.record("\(result)")
                return
            }
            #expect(managed.isDisabled && !isNew)
            #expect(ended.revocations.contains { $0.scope == .signIn(signIn) })
            #expect(
                try await store.tokens.beginWithoutRefresh(of: user.userID, hash: [2], accessExpiresAt: expiry) == nil)
        }
    }

    @Test func `erasing frees the names and keeps the id`() async throws {
        try await withStore { store in
            let users = ManagedUserRepository(ChatDatabase(store.client))
            let change = ManagedUserRepository.Change(displayName: "Ann", username: "ann", isDisabled: nil)
            let first = try #require(try await put(users, "a", change)).user.user
            try await store.makeRoom(.hall, .direct, members: [first.userID, bob])
            try await store.makeRoom(.attic, members: [first.userID, bob])
            #expect(try await users.roomsToLeave(first.userID, limit: 9) == [.attic])
            #expect(try await users.disable(first.userID) != nil)
            #expect(try await users.disable(UserID(999)) == nil)
            for _ in 1...2 { try await users.erase(first.userID) }
            let second = try #require(try await put(users, "a", change))
            #expect(second.isNew && second.user.user.userID != first.userID)
            #expect(
                try await store.users.existing([first.userID, second.user.user.userID]) == [second.user.user.userID])
            #expect(try await store.users.credentials(of: first.userID) == nil)
            // In the direct room the other one sees the room's own name again.
            let room = try #require(try await store.rooms.access(to: .hall, of: bob)).room
            #expect(room.name == "hall")
            let left = try await store.client.number(
                "SELECT count(*) FROM user_name_suffixes WHERE user_id = \(first.userID)")
            #expect(left == 0)
        }
    }

    @Test func `a username of another is taken, and one's own is not`() async throws {
        try await withStore { store in
            let users = ManagedUserRepository(ChatDatabase(store.client))
            let named = ManagedUserRepository.Change(displayName: nil, username: "ann", isDisabled: nil)
            let made = try await put(users, "a", named)
            let again = try await put(users, "a", named)
            let refused = try await put(users, "b", named)
            #expect(made?.isNew == true && again?.isNew == false && refused == nil)
            #expect(try await store.users.user(externalID: ExternalID(verified: "b")) == nil)
        }
    }
}
