import CommonUtil
import HTTPTypes
import Synchronization
import Testing

@testable import CommonAuth

/// The table of keys, as a database that can be away.
private final class KeyTable: Sendable {
    struct Away: Error {}

    let entries = Mutex<[ServerKeyList.Entry]>([])
    let isAway = Mutex(false)
    let reads = Mutex(0)

    func insert(
        _ name: String, _ scopes: Set<KeyScope> = [.rooms], expiresAt: Timestamp? = nil
    ) -> ServerKeySecret {
        let secret = ServerKeySecret()
        let key = ServerKey(
            name: KeyName(verified: name), scopes: scopes, createdAt: Timestamp(microseconds: 1), expiresAt: expiresAt)
        entries.withLock { $0.append((secret.hash, key)) }
        return secret
    }

    func delete(_ name: String) { entries.withLock { $0.removeAll { $0.key.name.rawValue == name } } }

    @Sendable func read() async throws -> [ServerKeyList.Entry] {
        reads.withLock { $0 += 1 }
        if isAway.withLock({ $0 }) { throw Away() }
        return entries.withLock { $0 }
    }
}

private func code(_ body: () async throws -> Void) async -> ErrorCode? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? ChatError)?.code
    }
}

@Suite(.timeLimit(.minutes(1))) struct ServerKeyTests {
    private let start = Timestamp(microseconds: 1_800_000_000_000_000)

    private func list(_ table: KeyTable, maximumAge: Duration = .seconds(60)) -> ServerKeyList {
        var timing = ServerKeyList.Timing()
        timing.maximumAge = maximumAge
        timing.unknownKeyInterval = .milliseconds(1)
        return ServerKeyList(timing: timing, now: { [start] in start }, read: table.read)
    }

    // MARK: Secrets

    @Test func `a secret is chat_ and 43 characters, and each is another`() throws {
        let secret = ServerKeySecret()
        #expect(secret.text.hasPrefix("chat_"))
        #expect(secret.text.count == 48)
        #expect(ServerKeySecret().text != secret.text)
        #expect(try #require(ServerKeySecret(text: secret.text)).hash == secret.hash)
        #expect(secret.hash.count == 32)
        for wrong in [
            "", "chat_", "chat_abc", String(secret.text.dropLast()), secret.text + "A", "CHAT_" + secret.text,
        ] {
            #expect(ServerKeySecret(text: wrong) == nil, "\(wrong.count)")
        }
    }

    // MARK: The list

    @Test func `a key that was made a moment ago is found, and then without another read`() async throws {
        let table = KeyTable()
        let list = list(table)
        #expect(await code { _ = try await list.key(ServerKeySecret().text) } == .invalidToken)
        let secret = table.insert("new")
        #expect(try await list.key(secret.text).name.rawValue == "new")
        let reads = table.reads.withLock { $0 }
        _ = try await list.key(secret.text)
        #expect(table.reads.withLock { $0 } == reads)
    }

    @Test func `a revoked key is refused once what was read is too old`() async throws {
        let table = KeyTable()
        let secret = table.insert("old")
        let patient = list(table)
        let key = try await patient.key(secret.text)
        table.delete("old")
        #expect(await code { _ = try await patient.key(secret.text) } == nil)
        #expect(await code { try await patient.requireInForce(key) } == nil)
        let list = list(table, maximumAge: .zero)
        #expect(await code { _ = try await list.key(secret.text) } == .unavailable)
        patient.invalidate()
        #expect(await code { _ = try await patient.key(secret.text) } == .invalidToken)
        #expect(await code { try await patient.requireInForce(key) } == .invalidToken)
    }

    @Test func `a key of the same name that was made later is another one`() async throws {
        let table = KeyTable()
        let list = list(table)
        let key = try await list.key(table.insert("name").text)
        table.delete("name")
        let replaced = ServerKeySecret()
        table.entries.withLock {
            $0.append(
                (
                    replaced.hash,
                    ServerKey(name: key.name, scopes: key.scopes, createdAt: start, expiresAt: nil)
                ))
        }
        list.invalidate()
        #expect(await code { try await list.requireInForce(key) } == .invalidToken)
        #expect(await code { _ = try await list.key(replaced.text) } == nil)
    }

    @Test func `while keys cannot be read none is accepted or refused`() async throws {
        let table = KeyTable()
        let secret = table.insert("key")
        table.isAway.withLock { $0 = true }
        let list = list(table)
        #expect(await code { _ = try await list.key(secret.text) } == .unavailable)
        table.isAway.withLock { $0 = false }
        #expect(await code { _ = try await list.key(secret.text) } == nil)
    }

    @Test func `an expired key is refused`() async throws {
        let table = KeyTable()
        let list = list(table)
        let expired = table.insert("expired", expiresAt: start)
        let valid = table.insert("valid", expiresAt: Timestamp(microseconds: start.microseconds + 1))
        #expect(await code { _ = try await list.key(expired.text) } == .invalidToken)
        #expect(await code { _ = try await list.key(valid.text) } == nil)
    }

    @Test func `callers with unknown keys share reads`() async throws {
        let table = KeyTable()
        let list = list(table)
        await withTaskGroup(of: ErrorCode?.self) { group in
            for _ in 0..<200 { group.addTask { await code { _ = try await list.key(ServerKeySecret().text) } } }
            for await refusal in group { #expect(refusal == .invalidToken) }
        }
        #expect(table.reads.withLock { $0 } < 100)
    }

    // MARK: Calls at a time

    @Test func `a key makes so many calls at a time, and some wait beside them`() async throws {
        let calls = KeyConcurrencyLimiter(maximumCalls: 2, maximumWaiting: [.change: 1, .download: 1])
        let name = KeyName(verified: "a")
        var first: KeyConcurrencyLimiter.Call? = try calls.begin(name)
        let second = try calls.begin(name)
        #expect(await code { _ = try calls.begin(name) } == .rateLimited)
        // Another key has calls of its own.
        _ = try calls.begin(KeyName(verified: "b"))
        try await second.waiting(for: .change) {
            let third = try calls.begin(name)
            #expect(await code { _ = try calls.begin(name) } == .rateLimited)
            #expect(await code { try await third.waiting(for: .change) {} } == .rateLimited)
            // What waits for something else has places of its own.
            try await third.waiting(for: .download) { _ = try calls.begin(name) }
        }
        // It counts as a call again.
        #expect(await code { _ = try calls.begin(name) } == .rateLimited)
        #expect(first != nil)
        first = nil
        _ = try calls.begin(name)
    }
}

@Suite(.timeLimit(.minutes(1))) struct KeyAuthenticatorTests {
    private let table: KeyTable
    private let secret: ServerKeySecret

    init() {
        table = KeyTable()
        secret = table.insert("backend", [.rooms])
    }

    private func authenticator(_ mode: AuthMode = .trusted) async throws -> Authenticator {
        let keys = KeyAuthenticator(keys: ServerKeyList(read: table.read)) { reference in
            switch reference {
            case .id(UserID(7)), .external(ExternalID(verified: "a/b")): UserID(7)
            default: throw ChatError(.userNotFound)
            }
        }
        guard mode == .token else { return Authenticator(mode: .trusted, verifier: nil, keys: keys) }
        let signer = try await TokenSigner(keyFile: try TemporaryFolder().path + "/key.pem", lifetimeSeconds: 60)
        return Authenticator(mode: .token, verifier: TokenVerifier(keys: signer.keySource), keys: keys)
    }

    private func headers(_ onBehalfOf: String...) -> HTTPFields {
        var headers: HTTPFields = [.authorization: "Bearer \(secret.text)", .userID: "9"]
        for value in onBehalfOf { headers.append(HTTPField(name: .onBehalfOf, value: value)) }
        return headers
    }

    @Test(arguments: [AuthMode.token, .trusted])
    func `a key with the scope acts for the installation, or for the user that it names`(mode: AuthMode) async throws {
        let authenticator = try await authenticator(mode)
        let caller = try await authenticator.authenticate(headers: headers(), scope: .rooms)
        #expect(caller.user.userID == .installation)
        #expect(caller.key?.key.name.rawValue == "backend" && caller.key?.isOnBehalf == false)
        for user in ["7", "ext:a%2Fb", "ext:a/b"] {
            let caller = try await authenticator.authenticate(headers: headers(user), scope: .rooms)
            #expect(caller.user.userID == UserID(7))
            #expect(caller.key?.isOnBehalf == true)
        }
        // Never without waiting, and never as the user that trusted mode would take.
        #expect(authenticator.cachedUser(authorization: "Bearer \(secret.text)", userID: "9") == nil)
    }

    @Test(arguments: [AuthMode.token, .trusted])
    func `a key is refused without the scope, and where a call is for no key`(mode: AuthMode) async throws {
        let authenticator = try await authenticator(mode)
        for scope in [KeyScope.users, .messages, .changes, .keys, nil] {
            #expect(await code { _ = try await authenticator.authenticate(headers: headers(), scope: scope) } == .scope)
        }
        let unknown: HTTPFields = [.authorization: "Bearer \(ServerKeySecret().text)", .userID: "9"]
        #expect(
            await code { _ = try await authenticator.authenticate(headers: unknown, scope: .rooms) } == .invalidToken)
        let malformed: HTTPFields = [.authorization: "Bearer chat_x", .userID: "9"]
        #expect(
            await code { _ = try await authenticator.authenticate(headers: malformed, scope: .rooms) } == .invalidToken)
    }

    @Test func `where a call is for the installation alone, it does not matter which user a key names`() async throws {
        let authenticator = try await authenticator()
        for user in ["7", "ext:nobody"] {
            let refusal = await code {
                _ = try await authenticator.authenticate(headers: headers(user), anyOf: [.rooms], mayActForUsers: false)
            }
            #expect(refusal == .forbidden)
        }
        let caller = try await authenticator.authenticate(headers: headers(), anyOf: [.rooms], mayActForUsers: false)
        #expect(caller.user.userID == .installation)
    }

    @Test func `X-On-Behalf-Of is there once, is a user, and comes with a key`() async throws {
        let authenticator = try await authenticator()
        func refusal(_ headers: HTTPFields) async -> ErrorCode? {
            await code { _ = try await authenticator.authenticate(headers: headers, scope: .rooms) }
        }
        #expect(await refusal(headers("7", "7")) == .malformedRequest)
        for wrong in ["", "0", "x", "-1", "ext:", "ext:%00", "ext:%", "ext:%ff", "7,7"] {
            #expect(await refusal(headers(wrong)) == .malformedRequest, "\(wrong)")
        }
        #expect(await refusal(headers("8")) == .userNotFound)
        #expect(await refusal(headers("ext:nobody")) == .userNotFound)
        #expect(await refusal([.userID: "9", .onBehalfOf: "7"]) == .malformedRequest)
        #expect(await refusal([.onBehalfOf: "7"]) == .malformedRequest)
    }

    @Test func `external ids are compared by bytes`() {
        #expect(ExternalID("\u{e9}") != ExternalID("e\u{301}"))
        #expect(Set([ExternalID("\u{e9}"), ExternalID("e\u{301}")]).count == 2)
        #expect(ExternalID("") == nil)
        #expect(ExternalID(String(repeating: "é", count: 128)) != nil)
        #expect(ExternalID(String(repeating: "e", count: 129)) == nil)
        #expect(ExternalID("a\u{0}") == nil)
    }
}
