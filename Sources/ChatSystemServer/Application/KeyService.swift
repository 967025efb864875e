import ChatStorage
import CommonAuth
import CommonUtil
import Logging

/// The use cases of servers' keys: making, listing and revoking them.
struct KeyService: Sendable {
    let keys: ServerKeyRepository
    /// The keys that this server knows.
    let known: ServerKeyList
    let logger: Logger

    /// Makes a key.
    /// - Parameter maker: the key that asks for it, which gives only scopes that it has.
    /// - Returns: the key, and its secret, which is stored nowhere.
    /// - Throws: `scope` (403), `key_name_taken`, `too_many_keys` (409), `validation_failed` for an end in the past.
    func make(
        _ name: KeyName, scopes: Set<KeyScope>, expiresAt: Timestamp?, by maker: ServerKey
    ) async throws -> MadeKey {
        if let scope = KeyScope.allCases.first(where: { scopes.contains($0) && !maker.scopes.contains($0) }) {
            throw ChatError(.scope, "The key \(maker.name) does not have the scope \(scope.rawValue) itself")
        }
        if let expiresAt, expiresAt <= .now { throw ChatError.invalid("expiresAt", "must be in the future") }
        let secret = ServerKeySecret()
        switch try await keys.insert(name, hash: secret.hash, scopes: scopes, expiresAt: expiresAt) {
        case .nameTaken: throw ChatError(.keyNameTaken)
        case .tooMany:
            throw ChatError(.tooManyKeys, "There are at most \(ServerKeyRepository.maximumCount) keys")
        case .made(let key):
            known.invalidate()
            logger.notice("A key was made", metadata: ["name": "\(name)", "by": "\(maker.name)"])
            return MadeKey(key: key, secret: secret)
        }
    }

    /// Revokes a key: this server refuses it at once, the others within five seconds.
    /// - Throws: `key_not_found`.
    func revoke(_ name: KeyName, by revoker: ServerKey) async throws {
        guard try await keys.delete(name) else { throw ChatError(.keyNotFound) }
        known.invalidate()
        logger.notice("A key was revoked", metadata: ["name": "\(name)", "by": "\(revoker.name)"])
    }
}

/// The response to `POST /admin/keys`: the key with `key`, its secret.
struct MadeKey: JSONEncodable {
    let key: ServerKey
    let secret: ServerKeySecret

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            key.writeMembers(to: &writer)
            writer.member("key", secret.text)
        }
    }
}
