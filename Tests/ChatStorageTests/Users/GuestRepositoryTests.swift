import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct GuestRepositoryTests {
    private func grant(_ number: UInt8, lifetimeSeconds: Int) -> RefreshTokenRepository.Grant {
        RefreshTokenRepository.Grant(
            hash: Array(repeating: number, count: 32), lifetimeSeconds: lifetimeSeconds,
            accessExpiresAt: Timestamp(microseconds: Timestamp.now.microseconds + 900_000_000))
    }

    @Test func `no refresh token outlives its guest`() async throws {
        try await withStore { store in
            let guests = GuestRepository(ChatDatabase(store.client))
            let userID = try await guests.insert(displayName: "Visitor")
            let month = 30 * 86_400
            #expect(
                try await store.tokens.begin(grant(1, lifetimeSeconds: month), of: userID, passwordHash: nil) != nil)
            let rotation = try await store.tokens.rotate(
                hash: Array(repeating: 1, count: 32), salt: [1], successor: grant(2, lifetimeSeconds: month))
            guard case .rotated = rotation else {
                Issue.record("\(rotation)")
                return
            }
            let longer = try await store.client.number(
                """
                SELECT count(*) FROM refresh_tokens JOIN users ON users.user_id = refresh_tokens.user_id
                WHERE refresh_tokens.expires_at > users.guest_until
                """)
            #expect(longer == 0)
            #expect(try await store.client.number("SELECT count(*) FROM refresh_tokens") == 2)
        }
    }

    @Test func `a guest expires after a day, and is then erased`() async throws {
        try await withStore { store in
            let database = ChatDatabase(store.client)
            let guests = GuestRepository(database)
            let (old, new) = (
                try await guests.insert(displayName: "Old"), try await guests.insert(displayName: "New")
            )
            #expect(try await guests.expired(limit: 9).isEmpty)
            try await store.client.script(
                "UPDATE users SET guest_until = guest_until - interval '24 hours' WHERE user_id = \(old)")
            #expect(try await guests.expired(limit: 9) == [old])
            #expect(try await guests.firstGuest(of: [UserID(999), new]) == new)
            try await ManagedUserRepository(database).erase(old)
            #expect(try await guests.expired(limit: 9).isEmpty)
            let erased = try #require(try await store.users.user(old))
            #expect(erased.isErased && erased.displayName.isEmpty)
            #expect(try await store.users.users(after: nil, limit: 9).isEmpty)
        }
    }

    @Test func `a guest who is renamed is still found by nobody`() async throws {
        try await withStore { store in
            let guests = GuestRepository(ChatDatabase(store.client))
            let userID = try await guests.insert(displayName: "Visitor")
            #expect(
                try await store.users.change(userID, displayName: "Somebody", whoMayAdd: nil)?.user.displayName
                    == "Somebody")
            #expect(try await NameIndexer(ChatDatabase(store.client), logger: quiet).catchUp() == 0)
            #expect(try await store.client.number("SELECT count(*) FROM user_name_suffixes") == 0)
        }
    }
}
