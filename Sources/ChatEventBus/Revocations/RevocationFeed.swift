import ChatEvents
import CommonAuth
import CommonUtil
import Logging
import Metrics
import NIOCore
import RedisClient
import ServiceLifecycle

/// Keeps a server's list of revocations up to date: what other servers end is in force here within two seconds.
///
/// Redis pushes revocations at once. The database is asked for those of the last time once a second, whether Redis is up
/// or not: a push can be lost without a sign of it, and the question costs a look into an index that is nearly always
/// empty. What is pushed is taken as it is, so it is in force here also while this server cannot reach the database.
public final class RevocationFeed: Service {
    struct Timing: Sendable {
        /// Between two questions at most, and three quarters of it at least, so that servers do not ask together.
        var interval = Duration.seconds(1)
    }

    /// The revocations of so long a time that are still in force; more do no harm.
    public typealias Read = @Sendable (_ time: Duration) async throws -> [Revocation]

    private let list: RevocationList
    private let redis: RedisClient
    private let subscription: RedisSubscription
    private let read: Read
    private let reads: ReadWindow
    private let timing: Timing
    private let onNews: @Sendable ([Revocation]) -> Void
    private let metrics: RevocationMetrics
    private let logger: Logger

    /// - Parameters:
    ///   - list: what tokens are held against.
    ///   - configuration: of the Redis that pushes; the connection is one of this feed's own.
    ///   - redis: what is published with; run by the caller.
    ///   - read: asks the database.
    ///   - onNews: told of those that were not in force here before, once they are. It must not block.
    public convenience init(
        list: RevocationList, configuration: RedisConfiguration, redis: RedisClient, eventLoop: any EventLoop,
        logger: Logger, read: @escaping Read, onNews: @escaping @Sendable ([Revocation]) -> Void = { _ in }
    ) {
        self.init(
            list: list, configuration: configuration, redis: redis, eventLoop: eventLoop, timing: Timing(),
            logger: logger, read: read, onNews: onNews)
    }

    init(
        list: RevocationList, configuration: RedisConfiguration, redis: RedisClient, eventLoop: any EventLoop,
        timing: Timing, logger: Logger, read: @escaping Read,
        onNews: @escaping @Sendable ([Revocation]) -> Void
    ) {
        self.list = list
        self.redis = redis
        self.read = read
        self.timing = timing
        self.onNews = onNews
        self.logger = logger
        reads = ReadWindow()
        let metrics = RevocationMetrics()
        self.metrics = metrics
        // Its metrics are not those of the subscription to events, by which operators see whether delivery works.
        var configuration = configuration
        configuration.metricPrefix = "chat_revocations_redis"
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                for message in messages {
                    guard let told = RevocationMessage(json: Array(message.payload.readableBytesView)) else {
                        metrics.invalid.increment()
                        continue
                    }
                    Self.take(told.revocations, from: metrics.fromRedis, list, metrics, onNews)
                }
            }, onStateChange: { _ in })
    }

    // MARK: What is ended here

    /// Puts revocations that were just stored into force on this server, and tells the others.
    public func announce(_ revocations: [Revocation]) {
        Self.take(revocations, from: nil, list, metrics, onNews)
        let messages = stride(from: 0, to: revocations.count, by: RevocationMessage.maximumCount).map { start in
            RevocationMessage(Array(revocations[start...].prefix(RevocationMessage.maximumCount)))
        }
        // Nobody waits for it, and it may fail: the others read it from the database within a second.
        redis.publish(messages.map { (RevocationMessage.channel, $0.jsonBytes) }) { [logger] results in
            for case .failure(let error) in results {
                logger.debug("revocations were not published", metadata: ["reason": "\(error)"])
            }
        }
    }

    // MARK: What is ended elsewhere

    /// Reads all that is in force, before the first request; waits for the database as long as it takes.
    public func load() async throws {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(3))
        while await !poll() { try await Task.sleep(for: backoff.next()) }
    }

    /// Returns at graceful shutdown.
    public func run() async throws {
        await rememberChannel()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.subscription.run() }
            group.addTask { try? await cancelWhenGracefulShutdown { try await self.keepReading() } }
            // The subscription ends when it is told to; whatever ends first, the other has no more to do.
            try await group.next()
            group.cancelAll()
        }
    }

    private func keepReading() async throws {
        while true {
            try await Task.sleep(for: timing.interval * Double.random(in: 0.75...1))
            // Before the first one nobody is served, and the tables may not be there yet.
            if reads.hasBegun { await poll() }
        }
    }

    /// - Returns: whether the database answered.
    @discardableResult
    private func poll() async -> Bool {
        let start = ContinuousClock.now
        do {
            let revocations = try await read(reads.length(at: start))
            reads.succeeded(begunAt: start)
            Self.take(revocations, from: metrics.fromPostgres, list, metrics, onNews)
            return true
        } catch {
            metrics.failedReads.increment()
            logger.debug("revocations could not be read", metadata: ["reason": "\(error)"])
            return false
        }
    }

    private static func take(
        _ revocations: [Revocation], from source: Counter?, _ list: RevocationList, _ metrics: RevocationMetrics,
        _ onNews: ([Revocation]) -> Void
    ) {
        let news = list.insert(revocations)
        metrics.inForce.record(list.count)
        guard !news.isEmpty else { return }
        source?.increment(by: news.count)
        onNews(news)
    }

    /// The name must be wanted before there is a connection. It is remembered from the call on, so its wait, for a
    /// connection that nobody makes yet, is cancelled at once.
    private func rememberChannel() async {
        let remembering = Task { [subscription] in
            try await subscription.subscribe(channels: [RevocationMessage.channel])
        }
        remembering.cancel()
        _ = await remembering.result
    }
}

/// What a server knows of ended sign-ins.
private struct RevocationMetrics: Sendable {
    let inForce = Gauge(label: "chat_revocations")
    let fromRedis = Counter(label: "chat_revocations_received_total", dimensions: [("from", "redis")])
    let fromPostgres = Counter(label: "chat_revocations_received_total", dimensions: [("from", "postgres")])
    let invalid = Counter(label: "chat_revocations_invalid_total")
    let failedReads = Counter(label: "chat_revocations_read_failures_total")
}
