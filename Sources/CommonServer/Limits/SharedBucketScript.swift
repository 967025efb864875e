import CommonAuth
import CommonUtil
import RedisClient

/// A token bucket in Redis, one key for each subject, which is gone when the bucket is full.
///
/// The key holds when the bucket will be full again, in microseconds of Redis' own clock, so that the clocks of those
/// who ask do not matter.
enum SharedBucketScript {
    /// `KEYS[1]`; `ARGV`: microseconds in which a token comes, tokens of a burst, tokens spent already, tokens wanted.
    /// The reply: how many of the wanted ones are given, and microseconds until the bucket is full.
    ///
    /// Debts are bounded by two bursts, so that a clock that was put back does not lock anyone out. The hundredth of a
    /// token makes up for rounding.
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

    /// Runs it, and hands it over where Redis does not have it (yet, or after `SCRIPT FLUSH`).
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
