import ChatEvents
import CommonUtil
import Logging
import Metrics
import NIOCore
import RedisClient
import ServiceLifecycle

/// Publishes events on Redis, in the order in which they were handed over.
///
/// Publishing is a hint that makes delivery instant; the log holds what it tells. So nothing here fails a post: what
/// cannot be published is counted and dropped, and is read from the log by those who miss it.
public final class EventPublisher: Service {
    private typealias Outgoing = (channel: String, payload: ByteBuffer)

    private let redis: RedisClient
    private let logger: Logger
    private let queue: BatchQueue<Outgoing>
    private let published = Counter(label: "chat_events_published_total")
    private let failures = Counter(label: "chat_events_publish_failures_total")

    /// Events that go out with one write.
    private static let batchSize = 512

    /// - Parameter capacity: events that may wait while Redis is slow; beyond it the oldest are dropped.
    public init(redis: RedisClient, capacity: Int = 16_384, logger: Logger) {
        self.redis = redis
        queue = BatchQueue(capacity: capacity)
        self.logger = logger
    }

    /// Hands events over and returns at once.
    public func publish(_ events: [RoomEvent]) {
        enqueue(events.map { (EventChannel.room($0.roomID).name, ByteBuffer(bytes: $0.jsonBytes)) })
    }

    public func publish(_ event: PassingEvent) {
        enqueue([(EventChannel.room(event.roomID).name, ByteBuffer(bytes: event.jsonBytes))])
    }

    private func enqueue(_ outgoing: [Outgoing]) {
        failures.increment(by: queue.appendDroppingOldest(outgoing))
    }

    /// Publishes until graceful shutdown; what waits then still goes out. Cancelled, it drops what waits.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            while let batch = await queue.next(upTo: Self.batchSize) { await publish(batch) }
        } onCancelOrGracefulShutdown: {
            self.queue.stop()
        }
    }

    private func publish(_ batch: [Outgoing]) async {
        let failed = await redis.publish(batch).count { result in
            if case .failure = result { true } else { false }
        }
        published.increment(by: batch.count - failed)
        guard failed > 0 else { return }
        failures.increment(by: failed)
        logger.debug("events were not published", metadata: ["count": "\(failed)"])
    }
}
