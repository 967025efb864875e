import ChatLocalStack
import ChatStorage
import CommonAuth
import CommonUtil
import Logging
import PostgresClient

/// A server's key in a test.
public struct TestKey: Sendable {
    public let name: String
    /// The secret.
    public let text: String

    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    public var credentials: Credentials { .token(text) }

    /// The header with which the key acts for a user.
    public static func onBehalf(of user: String) -> [(String, String)] { [("X-On-Behalf-Of", user)] }
    /// The header with which the key acts for a user.
    public static func onBehalf(of user: TestUser) -> [(String, String)] { onBehalf(of: "\(user.userID)") }
}

extension SharedStack {
    /// A new key with these scopes.
    public func key(
        _ scopes: KeyScope..., name: String = Unique.name("key"), expiresAt: Timestamp? = nil
    ) async throws -> TestKey {
        try await processes.key(Set(scopes), name: name, expiresAt: expiresAt)
    }

    /// Revokes a key behind the servers' backs, as `chat keys revoke` does.
    public func revoke(_ key: TestKey) async throws {
        try await processes.withKeys { _ = try await $0.delete(KeyName(verified: key.name)) }
    }

    /// Ends a guest's 24 hours. A system server erases the guest within 30 s.
    public func endTime(ofGuest userID: Int64) async throws {
        try await processes.withClient {
            _ = try await $0.query(
                PostgresStatement("UPDATE users SET guest_until = now() - interval '1 second' WHERE user_id = $1"),
                .int8(userID))
        }
    }
}

extension LocalStack {
    /// A new key with these scopes.
    public func key(
        _ scopes: Set<KeyScope>, name: String = Unique.name("key"), expiresAt: Timestamp? = nil
    ) async throws -> TestKey {
        let secret = ServerKeySecret()
        try await withKeys { keys in
            _ = try await keys.insert(
                KeyName(verified: name), hash: secret.hash, scopes: scopes, expiresAt: expiresAt)
        }
        return TestKey(name: name, text: secret.text)
    }

    fileprivate func withKeys(_ body: (ServerKeyRepository) async throws -> Void) async throws {
        try await withClient { try await body(ServerKeyRepository(ChatDatabase($0))) }
    }

    fileprivate func withClient(_ body: (PostgresClient) async throws -> Void) async throws {
        let client = PostgresClient(
            configuration: try PostgresConfiguration(url: postgres.url),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        do {
            try await body(client)
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }
}
