import Crypto
import FoundationEssentials
import Synchronization

/// SHA-256 of a token, so that the cache has no tokens that could be stolen.
struct TokenDigest: Hashable, Sendable {
    private let words: SIMD4<UInt64>

    init(_ token: String) {
        words = SHA256.hash(data: Data(token.utf8)).withUnsafeBytes { $0.loadUnaligned(as: SIMD4<UInt64>.self) }
    }

    /// The shard of the digest. Any bits are suitable, since the digest is uniform.
    var shard: Int { Int(truncatingIfNeeded: words[0] & 0xF) }
}

/// The result of a verification.
struct VerifiedToken: Sendable {
    let user: AuthenticatedUser
    let keyID: String
}

/// A bounded cache of verified tokens, in shards, so that event loops seldom contend for a lock.
///
/// Each shard has two generations. A full young one becomes the old one, whose entries are dropped unless they are used
/// before the next change. That keeps the entries in use without the list of an LRU cache.
final class VerifiedTokenCache: Sendable {
    private struct Generations {
        var young: [TokenDigest: VerifiedToken] = [:]
        var old: [TokenDigest: VerifiedToken] = [:]

        mutating func insert(_ digest: TokenDigest, _ token: VerifiedToken, limit: Int) {
            if young.count >= limit {
                old = young
                young = [:]
            }
            young[digest] = token
        }
    }

    private final class Shard: Sendable {
        let generations = Mutex(Generations())
    }

    private let shards = (0..<16).map { _ in Shard() }
    private let generationLimit: Int

    /// - Parameter capacity: the maximum number of tokens.
    init(capacity: Int) { generationLimit = max(1, capacity / (16 * 2)) }

    /// The verified token of a digest; `nil` if it is not cached.
    subscript(digest: TokenDigest) -> VerifiedToken? {
        shards[digest.shard].generations.withLock { generations in
            if let token = generations.young[digest] { return token }
            guard let token = generations.old[digest] else { return nil }
            generations.insert(digest, token, limit: generationLimit)
            return token
        }
    }

    /// Adds a token.
    func insert(_ digest: TokenDigest, _ token: VerifiedToken) {
        shards[digest.shard].generations.withLock { $0.insert(digest, token, limit: generationLimit) }
    }

    /// The number of cached tokens.
    var count: Int {
        shards.reduce(0) { sum, shard in
            sum + shard.generations.withLock { Set($0.young.keys).union($0.old.keys).count }
        }
    }
}
