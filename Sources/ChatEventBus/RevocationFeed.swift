import ChatEvents
import CommonAuth
import CommonUtil
import Logging
import Metrics
import NIOCore
import RedisClient
import ServiceLifecycle
import Synchronization

/// Keeps a server's list of revocations up to date: what other servers end is in force here within two seconds.
///
/// Redis pushes revocations at once. The database is asked for the recent ones every second, whether Redis is up or not:
/// a push can be lost without a sign of it, and the query costs a look into an index that is nearly always empty. A push
/// is taken as it is, so it is in force here also while this server cannot reach the database.
public final class RevocationFeed: Service {
    /// Reads the revocations of the last `time` that are still in force; more do no harm.
    public typealias Read = @Sendable (_ time: Duration) async throws -> [Revocation]

    /// Between two reads at most, and three quarters of it at least, so that servers do not read together.
    private static let interval = Duration.seconds(1)

    private let sink: RevocationSink
    private let redis: RedisClient
    private let subscription: RedisSubscription
    private let read: Read
    private let reads = ReadWindow()
    private let failedReads = Counter(label: "chat_revocations_read_failures_total")
    private let logger: Logger

    /// - Parameters:
    ///   - list: what tokens are held against.
    ///   - configuration: of the Redis that pushes; the connection is one of this feed's own.
    ///   - redis: what is published with; run by the caller.
    ///   - read: asks the database.
    ///   - onNews: gets those that were not in force here before, once they are. Must not block.
    public init(
        list: RevocationList, configuration: RedisConfiguration, redis: RedisClient, eventLoop: any EventLoop,
        logger: Logger, read: @escaping Read, onNews: @escaping @Sendable ([Revocation]) -> Void = { _ in }
    ) {
        self.redis = redis
        self.read = read
        self.logger = logger
        let sink = RevocationSink(list: list, onNews: onNews, logger: logger)
        self.sink = sink
        // Its metrics are not those of the subscription to events, by which operators see whether delivery works.
        var configuration = configuration
        configuration.metricPrefix = "chat_revocations_redis"
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                for message in messages { sink.take(message: Array(message.payload.readableBytesView)) }
            }, onStateChange: { _ in })
    }

    // MARK: What is ended here

    /// Puts revocations that were just stored into force on this server, and tells the others.
    public func announce(_ revocations: [Revocation]) {
        sink.take(revocations, from: .own)
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
            try await Task.sleep(for: Self.interval * Double.random(in: 0.75...1))
            // Before the first one nobody is served, and the table may not be there yet.
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
            sink.take(revocations, from: .postgres)
            return true
        } catch {
            failedReads.increment()
            logger.debug("revocations could not be read", metadata: ["reason": "\(error)"])
            return false
        }
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

/// Where revocations come together, whichever way they came.
private struct RevocationSink: Sendable {
    enum Source: String, CaseIterable {
        case own, redis, postgres
    }

    private let list: RevocationList
    private let onNews: @Sendable ([Revocation]) -> Void
    private let logger: Logger
    private let inForce = Gauge(label: "chat_revocations")
    private let invalid = Counter(label: "chat_revocations_invalid_total")
    private let received = Dictionary(
        uniqueKeysWithValues: Source.allCases.map { source in
            (source, Counter(label: "chat_revocations_received_total", dimensions: [("from", source.rawValue)]))
        })

    init(list: RevocationList, onNews: @escaping @Sendable ([Revocation]) -> Void, logger: Logger) {
        self.list = list
        self.onNews = onNews
        self.logger = logger
    }

    func take(message json: [UInt8]) {
        guard let message = RevocationMessage(json: json) else {
            invalid.increment()
            return logger.debug("what came as a message of revocations is none", metadata: ["bytes": "\(json.count)"])
        }
        take(message.revocations, from: .redis)
    }

    func take(_ revocations: [Revocation], from source: Source) {
        let news = list.insert(revocations)
        inForce.record(list.count)
        guard !news.isEmpty else { return }
        received[source]?.increment(by: news.count)
        onNews(news)
        // Who ends sign-ins says so itself, and why.
        guard source != .own else { return }
        logger.info(
            "Sign-ins ended elsewhere",
            metadata: ["count": .stringConvertible(news.count), "from": "\(source.rawValue)"])
    }
}

/// How far back a read has to reach: to the last one that was answered, or to the beginning.
final class ReadWindow: Sendable {
    /// Longer than any revocation is in force.
    static let everything = Duration.seconds(2 * 86_400)

    /// When the last read that was answered began.
    private let last = Mutex(ContinuousClock.Instant?.none)

    var hasBegun: Bool { last.withLock { $0 != nil } }

    func length(at now: ContinuousClock.Instant) -> Duration {
        last.withLock { last in last.map { min(now - $0, Self.everything) } ?? Self.everything }
    }

    func succeeded(begunAt instant: ContinuousClock.Instant) {
        last.withLock { $0 = max($0 ?? instant, instant) }
    }
}
