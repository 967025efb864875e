import Crypto
import FoundationEssentials
import Synchronization

/// A token's SHA-256: the cache holds no token that could be stolen from it.
struct TokenDigest: Hashable, Sendable {
    private let words: SIMD4<UInt64>

    init(_ token: String) {
        words = SHA256.hash(data: Data(token.utf8)).withUnsafeBytes { $0.loadUnaligned(as: SIMD4<UInt64>.self) }
    }

    /// Any bits will do: the digest is uniform.
    var shard: Int { Int(truncatingIfNeeded: words[0] & 0xF) }
}

struct VerifiedToken: Sendable {
    let user: AuthenticatedUser
    let keyID: String
}

/// Remembers verified tokens, up to a bound. In shards, so that event loops seldom wait for each other.
///
/// Each shard has two generations: when the young one is full it becomes the old one, whose entries are forgotten
/// unless they are used again before the next turn. That keeps what is in use without a list to maintain.
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

    init(capacity: Int) { generationLimit = max(1, capacity / (16 * 2)) }

    subscript(digest: TokenDigest) -> VerifiedToken? {
        shards[digest.shard].generations.withLock { generations in
            if let token = generations.young[digest] { return token }
            guard let token = generations.old[digest] else { return nil }
            generations.insert(digest, token, limit: generationLimit)
            return token
        }
    }

    func insert(_ digest: TokenDigest, _ token: VerifiedToken) {
        shards[digest.shard].generations.withLock { $0.insert(digest, token, limit: generationLimit) }
    }

    var count: Int {
        shards.reduce(0) { sum, shard in
            sum + shard.generations.withLock { Set($0.young.keys).union($0.old.keys).count }
        }
    }
}
