import ChatEvents
import CommonAuth
import CommonUtil
import Logging
import Metrics
import NIOCore
import RedisClient
import ServiceLifecycle
import Synchronization

/// Keeps a server's list of revocations up to date: revocations by other servers are in force here within two seconds.
///
/// Redis pushes revocations at once. The recent ones are read from the database every second as well, whether Redis is
/// up or not: a push can be lost without notice, and the query reads an index that is nearly always empty. A push is
/// enforced as it is, so also while this server cannot reach the database.
public final class RevocationFeed: Service {
    /// Reads the revocations of the last `time` that are still in force; it may return older ones, too.
    public typealias Read = @Sendable (_ time: Duration) async throws -> [Revocation]

    /// Time between two reads; jittered down to three quarters, so that servers do not read together.
    private static let interval = Duration.seconds(1)

    private let sink: RevocationSink
    private let redis: RedisClient
    private let subscription: RedisSubscription
    private let read: Read
    private let reads = ReadWindow()
    private let failedReads = Counter(label: "chat_revocations_read_failures_total")
    private let logger: Logger

    /// - Parameters:
    ///   - list: the list that tokens are checked against.
    ///   - configuration: of the Redis that pushes; this feed has a connection of its own.
    ///   - redis: publishes; run by the caller.
    ///   - read: reads from the database.
    ///   - onNews: called with revocations that were not in force here before, once they are. Must not block.
    public init(
        list: RevocationList, configuration: RedisConfiguration, redis: RedisClient, eventLoop: any EventLoop,
        logger: Logger, read: @escaping Read, onNews: @escaping @Sendable ([Revocation]) -> Void = { _ in }
    ) {
        self.redis = redis
        self.read = read
        self.logger = logger
        let sink = RevocationSink(list: list, onNews: onNews, logger: logger)
        self.sink = sink
        // A prefix of its own: by the metrics of the subscription to events operators see whether delivery works.
        var configuration = configuration
        configuration.metricPrefix = "chat_revocations_redis"
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                for message in messages { sink.take(message: Array(message.payload.readableBytesView)) }
            }, onStateChange: { _ in })
    }

    // MARK: Revocations by this server

    /// Enforces revocations that were just stored on this server, and publishes them to the others.
    public func announce(_ revocations: [Revocation]) {
        sink.take(revocations, from: .own)
        let messages = revocations.chunks(of: RevocationMessage.maximumCount).map(RevocationMessage.init)
        // Without waiting, and it may fail: the others read it from the database within a second.
        redis.publish(messages.map { (RevocationMessage.channel, $0.jsonBytes) }) { [logger] results in
            for case .failure(let error) in results {
                logger.debug("revocations were not published", metadata: ["reason": "\(error)"])
            }
        }
    }

    // MARK: Revocations by other servers

    /// Reads all revocations that are in force, before the first request; waits for the database without a limit.
    public func load() async throws {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(3))
        while await !poll() { try await Task.sleep(for: backoff.next()) }
    }

    /// Subscribes and reads until graceful shutdown.
    public func run() async throws {
        await addChannel()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.subscription.run() }
            group.addTask { try? await cancelWhenGracefulShutdown { try await self.keepReading() } }
            // Both end at graceful shutdown; whichever ends first, the other has no more to do.
            try await group.next()
            group.cancelAll()
        }
    }

    private func keepReading() async throws {
        while true {
            try await Task.sleep(for: Self.interval * Double.random(in: 0.75...1))
            // Before the first read no request is served, and the table may not exist yet.
            if reads.hasBegun { await poll() }
        }
    }

    /// Reads the revocations since the last successful read.
    /// - Returns: whether the database responded.
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

    /// Adds the channel before there is a connection. It is added by the call itself, so its wait for a connection is
    /// cancelled at once.
    private func addChannel() async {
        let adding = Task { [subscription] in
            try await subscription.subscribe(channels: [RevocationMessage.channel])
        }
        adding.cancel()
        _ = await adding.result
    }
}

/// Enforces revocations, whichever way they came.
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
            return logger.debug("a message of revocations is malformed", metadata: ["bytes": "\(json.count)"])
        }
        take(message.revocations, from: .redis)
    }

    func take(_ revocations: [Revocation], from source: Source) {
        let news = list.insert(revocations)
        inForce.record(list.count)
        guard !news.isEmpty else { return }
        received[source]?.increment(by: news.count)
        onNews(news)
        // The server that ends sign-ins logs that itself, with the reason.
        guard source != .own else { return }
        logger.info(
            "Sign-ins ended elsewhere",
            metadata: ["count": .stringConvertible(news.count), "from": "\(source.rawValue)"])
    }
}

/// The time that a read has to cover: back to the last successful read, or everything.
final class ReadWindow: Sendable {
    /// Longer than a revocation is in force.
    static let everything = Duration.seconds(2 * 86_400)

    /// The start of the last successful read.
    private let last = Mutex(ContinuousClock.Instant?.none)

    var hasBegun: Bool { last.withLock { $0 != nil } }

    func length(at now: ContinuousClock.Instant) -> Duration {
        last.withLock { last in last.map { min(now - $0, Self.everything) } ?? Self.everything }
    }

    func succeeded(begunAt instant: ContinuousClock.Instant) {
        last.withLock { $0 = max($0 ?? instant, instant) }
    }
}
