import ChatStorage
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct UserRepositoryTests {
    @Test func `a user is made, read and changed`() async throws {
        try await withStore { store in
            let user = try #require(
                try await store.users.insert(username: "ann", displayName: "Änn", passwordHash: "hash"))
            #expect(user.username == "ann")
            #expect(user.displayName == "Änn")
            #expect(try await store.users.user(user.userID) == user)
            #expect(try await store.users.user(UserID(user.userID.rawValue + 1)) == nil)

            let renamed = try #require(
                try await store.users.change(user.userID, displayName: "Anna", whoMayAdd: nil))
            #expect(renamed.user.displayName == "Anna")
            #expect(renamed.user.createdAt == user.createdAt)
            #expect(renamed.whoMayAdd == .everyone)
            let shy = try #require(try await store.users.change(user.userID, displayName: nil, whoMayAdd: .nobody))
            #expect(shy.user == renamed.user)
            #expect(shy.whoMayAdd == .nobody)
            #expect(try await store.users.profile(of: user.userID) == shy)
            #expect(try await store.users.change(UserID(999), displayName: "Nobody", whoMayAdd: nil) == nil)
            #expect(try await store.users.profile(of: UserID(999)) == nil)
        }
    }

    @Test func `a name is given once, also when many ask at once`() async throws {
        try await withStore { store in
            let made = try await withThrowingTaskGroup(of: User?.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        try await store.users.insert(username: "ann", displayName: "\(number)", passwordHash: "")
                    }
                }
                return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
            }
            #expect(made.count == 1)
        }
    }

    @Test func `credentials are those of the name`() async throws {
        try await withStore { store in
            let user = try #require(
                try await store.users.insert(username: "ann", displayName: "Ann", passwordHash: "first"))
            #expect(try await store.users.replacePasswordHash("first", by: "second", of: user.userID))
            #expect(try await !store.users.replacePasswordHash("first", by: "third", of: user.userID))
            for credentials in [
                try await store.users.credentials(username: "ann"), try await store.users.credentials(of: user.userID),
            ] {
                #expect(credentials?.userID == user.userID)
                #expect(credentials?.username == "ann")
                #expect(credentials?.passwordHash == "second")
            }
            #expect(try await store.users.credentials(username: "an") == nil)
        }
    }

    @Test func `search is by prefix, in pages, and takes no character for a wildcard`() async throws {
        try await withStore { store in
            for name in ["a_b", "a_c", "axb", "b.b", "b-b", "bab"] {
                _ = try await store.users.insert(username: name, displayName: name, passwordHash: "")
            }
            func names(_ text: String, after last: Found<User>? = nil, limit: Int = 10) async throws -> [String] {
                try await store.users.users(
                    finding: text, after: last.map { ($0.suffix, $0.item.userID) }, limit: limit
                ).compactMap(\.item.username)
            }
            #expect(try await names("a") == ["a_b", "a_c", "axb"])
            #expect(try await names("a", limit: 2) == ["a_b", "a_c"])
            let second = try await store.users.users(finding: "a", after: nil, limit: 2)[1]
            #expect(try await names("a", after: second) == ["axb"])
            #expect(try await names("a_") == ["a_b", "a_c"])
            #expect(try await names("%") == [])
            #expect(try await names("a\\") == [])
            #expect(try await names("b") == ["a_b", "b.b", "b-b", "bab"])
            let all = try await store.users.users(after: nil, limit: 9).compactMap(\.username)
            #expect(all == ["a_b", "a_c", "axb", "b-b", "b.b", "bab"])
            #expect(try await store.users.users(after: .username("b-b"), limit: 1).map(\.username) == ["b.b"])
        }
    }

    @Test func `finds the registered users of a list`() async throws {
        try await withStore { store in
            let user = try #require(try await store.users.insert(username: "ann", displayName: "", passwordHash: ""))
            let stranger = UserID(user.userID.rawValue + 1)
            #expect(try await store.users.existing([stranger, user.userID, user.userID]) == [user.userID])
            #expect(try await store.users.existing([]) == [])
        }
    }
}
