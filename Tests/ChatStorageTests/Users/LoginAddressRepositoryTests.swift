import CommonUtil
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct LoginAddressRepositoryTests {
    @Test func `an address is known for thirty days, to the account that was signed in to`() async throws {
        try await withStore { store in
            let addresses = LoginAddressRepository(ChatDatabase(store.client))
            let users = try await ["ann", "bob"].asyncMap {
                try #require(try await store.users.insert(username: $0, displayName: $0, passwordHash: ""))
            }
            #expect(try await !addresses.contains("here", of: "ann"))
            for _ in 0..<2 { try await addresses.note("here", of: users[0].userID) }
            #expect(try await addresses.contains("here", of: "ann"))
            #expect(try await !addresses.contains("there", of: "ann"))
            #expect(try await !addresses.contains("here", of: "bob"))
            #expect(try await !addresses.contains("here", of: "nobody"))

            try await store.client.script("UPDATE login_addresses SET seen_at = now() - interval '29 days'")
            #expect(try await addresses.contains("here", of: "ann"))
            try await store.client.script("UPDATE login_addresses SET seen_at = now() - interval '31 days'")
            #expect(try await !addresses.contains("here", of: "ann"))
            // Seen again, it is known again; what is too old is cleared away on the way.
            try await addresses.note("there", of: users[0].userID)
            #expect(try await store.client.number("SELECT count(*) FROM login_addresses") == 1)
            try await addresses.note("here", of: users[0].userID)
            #expect(try await addresses.contains("here", of: "ann"))
        }
    }

    @Test func `of more addresses than are kept the oldest are forgotten`() async throws {
        try await withStore { store in
            let addresses = LoginAddressRepository(ChatDatabase(store.client))
            let user = try #require(
                try await store.users.insert(username: "ann", displayName: "Ann", passwordHash: ""))
            try await store.client.script(
                """
                INSERT INTO login_addresses (user_id, address, seen_at)
                SELECT \(user.userID), 'a' || n, now() - n * interval '1 hour' FROM generate_series(1, 64) AS n
                """)
            try await addresses.note("new", of: user.userID)
            #expect(try await addresses.contains("new", of: "ann"))
            #expect(try await addresses.contains("a63", of: "ann"))
            #expect(try await !addresses.contains("a64", of: "ann"))
            #expect(try await store.client.number("SELECT count(*) FROM login_addresses") == 64)
        }
    }

    @Test func `the highest cost in use is that of the costliest hash`() async throws {
        try await withStore { store in
            #expect(try await store.users.highestPasswordCost() == nil)
            for (name, hash) in [
                ("ann", "$scrypt$ln=9,r=8,p=1$a$b"), ("bob", "$scrypt$ln=14,r=8,p=1$a$b"), ("cid", "rubbish"),
                ("dan", "$scrypt$ln=12,r=8,p=1$a$b"),
            ] { _ = try await store.users.insert(username: name, displayName: name, passwordHash: hash) }
            #expect(try await store.users.highestPasswordCost() == 14)
        }
    }
}

extension Array {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
