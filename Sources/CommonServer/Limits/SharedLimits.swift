import CommonAuth
import CommonUtil
import Logging
import NIOCore
import RedisClient
import Synchronization

/// The place that limits are shared through by all instances: Redis. Where it is away or slow nobody waits for it.
public final class SharedLimits: Sendable {
    /// In which Redis must have answered; a caller waits as long.
    private static let timeout = TimeAmount.milliseconds(100)

    private let redis: RedisClient
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = Mutex(SharingState())
    /// What `state` says, without its lock: asked for every request.
    private let isUp = Atomic(true)

    public init(redis: RedisClient, eventLoop: any EventLoop, logger: Logger) {
        self.redis = redis
        self.eventLoop = eventLoop
        self.logger = logger
    }

    var isShared: Bool { isUp.load(ordering: .relaxed) }

    /// Whether it is this caller who finds out if Redis is back.
    func mayTryAgain() -> Bool {
        guard !isShared else { return false }
        return state.withLock { $0.mayTryAgain(at: .now) }
    }

    /// - Returns: `nil` where Redis did not answer in time.
    func ask<Key>(
        _ ask: SharedBuckets<Key, some Sendable>.Ask, limit: RateLimitName, rate: Rate
    ) async -> SharedBucketReply? where Key: CustomStringConvertible {
        let key = "chat:limit:\(limit.rawValue):\(Pseudonym.of(ask.key.description))"
        let (spent, wanted) = (ask.spent, ask.wanted)
        let run = Task { [redis] () async throws(RedisError) in
            try await SharedBucketScript.run(on: redis, key: key, rate: rate, spent: spent, wanted: wanted)
        }
        let deadline = eventLoop.scheduleTask(in: Self.timeout) { run.cancel() }
        defer { deadline.cancel() }
        switch await run.result {
        case .success(let answer):
            if note({ $0.succeeded() }) { logger.info("Limits are shared with other instances again") }
            return answer
        case .failure(let error):
            if note({ $0.failed(at: .now) }) {
                logger.warning(
                    "Limits are counted by this process alone until Redis answers", metadata: ["reason": "\(error)"])
            }
            return nil
        }
    }

    private func note(_ change: (inout SharingState) -> Bool) -> Bool {
        state.withLock { state in
            let isNews = change(&state)
            isUp.store(state.isShared, ordering: .relaxed)
            return isNews
        }
    }
}
