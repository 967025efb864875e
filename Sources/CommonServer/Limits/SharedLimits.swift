import CommonAuth
import CommonUtil
import Logging
import NIOCore
import RedisClient
import Synchronization

/// Shares limits with the other instances through Redis. If Redis is away or slow, callers do not wait for it.
public final class SharedLimits: Sendable {
    /// Time in which Redis has to reply, and so the longest wait of a caller.
    private static let timeout = TimeAmount.milliseconds(100)

    private let redis: RedisClient
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = Mutex(SharingState())
    /// `state.isShared`, readable without the lock, since every request needs it.
    private let isUp = Atomic(true)

    /// - Parameter eventLoop: runs the timeouts.
    public init(redis: RedisClient, eventLoop: any EventLoop, logger: Logger) {
        self.redis = redis
        self.eventLoop = eventLoop
        self.logger = logger
    }

    /// Whether Redis replied the last time.
    var isShared: Bool { isUp.load(ordering: .relaxed) }

    /// Whether this caller should send a request to find out if Redis is back.
    func mayTryAgain() -> Bool {
        guard !isShared else { return false }
        return state.withLock { $0.mayTryAgain(at: .now) }
    }

    /// Takes tokens of a shared bucket.
    /// - Returns: `nil` if Redis did not reply in time.
    func send<Key>(
        _ request: SharedBuckets<Key, some Sendable>.Request, limit: RateLimitName, rate: Rate
    ) async -> SharedBucketReply? where Key: CustomStringConvertible {
        let key = "chat:limit:\(limit.rawValue):\(Pseudonym.of(request.key.description))"
        let (spent, wanted) = (request.spent, request.wanted)
        let run = Task { [redis] () async throws(RedisError) in
            try await SharedBucketScript.run(on: redis, key: key, rate: rate, spent: spent, wanted: wanted)
        }
        let deadline = eventLoop.scheduleTask(in: Self.timeout) { run.cancel() }
        defer { deadline.cancel() }
        switch await run.result {
        case .success(let reply):
            if note({ $0.succeeded() }) { logger.info("Limits are shared with other instances again") }
            return reply
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
            let hasChanged = change(&state)
            isUp.store(state.isShared, ordering: .relaxed)
            return hasChanged
        }
    }
}

/// The script of a token bucket in Redis. Each bucket has a key, which expires when the bucket is full.
///
/// The value is the time at which the bucket will be full again, in microseconds of Redis' own clock: the clocks of the
/// instances do not matter.
enum SharedBucketScript {
    /// `KEYS[1]`: the bucket. `ARGV`: microseconds per token, tokens of a burst, tokens spent already, tokens wanted.
    /// Reply: the number of granted tokens, and microseconds until the bucket is full.
    ///
    /// A bucket is at most two bursts in debt, so a clock that was set back locks nobody out. The hundredth of a token
    /// compensates rounding.
    private static let source = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
        local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
        full = math.min(full, now + 2 * burst * interval) + ARGV[3] * interval
        local room = math.floor((now - full) / interval + burst + 0.01)
        local granted = math.max(0, math.min(tonumber(ARGV[4]), room))
        full = full + granted * interval
        if full > now then
            redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
        end
        return {granted, math.floor(full - now)}
        """
    private static let digest = ScriptDigest.of(source)

    /// Runs the script by its digest (`EVALSHA`), or sends it (`EVAL`) where Redis does not have it: at first, and after
    /// `SCRIPT FLUSH`.
    static func run(
        on redis: RedisClient, key: String, rate: Rate, spent: Int, wanted: Int
    ) async throws(RedisError) -> SharedBucketReply {
        let arguments: [RedisArgument] = [
            1, .string(key), .string("\(rate.interval / .microseconds(1))"), .integer(rate.burst), .integer(spent),
            .integer(wanted),
        ]
        let reply: RESPValue
        do {
            reply = try await redis.send(["EVALSHA", .string(digest)] + arguments)
        } catch .server(let message) where message.hasPrefix("NOSCRIPT") {
            reply = try await redis.send(["EVAL", .string(source)] + arguments)
        }
        guard case .array(let parts) = reply, parts.count == 2, let granted = parts[0].integer,
            let microseconds = parts[1].integer
        else { throw .protocolViolation }
        return SharedBucketReply(granted: Int(granted), fullIn: .microseconds(microseconds))
    }
}
