import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct ServerKeyRepositoryTests {
    private func name(_ text: String) -> KeyName { KeyName(verified: text) }
    private let hash = [UInt8](repeating: 7, count: 32)

    @Test func `a key is stored with its hash, listed and deleted`() async throws {
        try await withStore { store in
            let keys = ServerKeyRepository(ChatDatabase(store.client))
            let end = Timestamp(microseconds: 1_900_000_000_000_000)
            let made = try await keys.insert(name("b"), hash: hash, scopes: [.rooms, .keys], expiresAt: end)
            guard case .made(let key) = made else {
                Issue.record("not made: \(made)")
                return
            }
            #expect(key.scopes == [.rooms, .keys] && key.expiresAt == end)
            _ = try await keys.insert(name("a"), hash: [1], scopes: [.users], expiresAt: nil)
            #expect(try await keys.all().map(\.name.rawValue) == ["a", "b"])
            let entries = try await keys.entries()
            #expect(entries.map(\.hash) == [[1], hash] && entries[1].key == key)
            #expect(try await keys.insert(name("b"), hash: [2], scopes: [.rooms], expiresAt: nil) == .nameTaken)
            #expect(try await keys.delete(name("b")))
            #expect(try await !keys.delete(name("b")))
        }
    }

    @Test func `there are at most a thousand keys`() async throws {
        try await withStore { store in
            let keys = ServerKeyRepository(ChatDatabase(store.client))
            try await store.client.script(
                """
                INSERT INTO server_keys (name, key_hash, scopes)
                SELECT 'key-' || n, ('\\x' || lpad(to_hex(n), 8, '0'))::bytea, '{rooms}' FROM generate_series(1, 999) AS n
                """)
            guard case .made = try await keys.insert(name("last"), hash: hash, scopes: [.rooms], expiresAt: nil) else {
                Issue.record("not made")
                return
            }
            #expect(try await keys.insert(name("more"), hash: [2], scopes: [.rooms], expiresAt: nil) == .tooMany)
            #expect(try await keys.insert(name("last"), hash: [2], scopes: [.rooms], expiresAt: nil) == .nameTaken)
        }
    }

    @Test func `a scope of a newer release is left out`() async throws {
        try await withStore { store in
            try await store.client.script(
                "INSERT INTO server_keys (name, key_hash, scopes) VALUES ('new', '\\x00', '{rooms,telepathy}')")
            #expect(try await ServerKeyRepository(ChatDatabase(store.client)).all().map(\.scopes) == [[.rooms]])
        }
    }
}
