import ChatEvents
import CommonUtil
import Logging
import Metrics
import NIOConcurrencyHelpers
import RedisClient

/// Publishes events on Redis, in the order in which they were handed over.
///
/// Publishing is a hint that makes delivery instant; the log holds what it tells. So nothing here waits or fails: what
/// cannot be published (Redis is away, or so slow that its client's bound is reached) is counted and dropped, and is read
/// from the log by those who miss it.
public final class EventPublisher: Sendable {
    private let redis: RedisClient
    private let logger: Logger
    private let published = Counter(label: "chat_events_published_total")
    private let failures = Counter(label: "chat_events_publish_failures_total")
    private let watch = NIOLockedValueBox(PublicationWatch())

    public init(redis: RedisClient, logger: Logger) {
        self.redis = redis
        self.logger = logger
    }

    public func publish(_ events: [RoomEvent]) {
        publish(events.map { (EventChannel.room($0.roomID).name, $0.jsonBytes) })
    }

    public func publish(_ posts: [PostedMessage]) {
        publish(posts.map { (EventChannel.room($0.message.roomID).name, $0.eventJSON) })
    }

    public func publish(_ event: EphemeralEvent) {
        publish([(EventChannel.room(event.roomID).name, event.jsonBytes)])
    }

    /// What Redis says for refusing publications, in a word such as `NOPERM`; nil while it takes them.
    public var refusal: String? { watch.withLockedValue { $0.refusal } }

    private func publish(_ messages: [(channel: String, payload: [UInt8])]) {
        redis.publish(messages) { [self] results in
            let failed = results.count { result in
                if case .failure = result { true } else { false }
            }
            published.increment(by: results.count - failed)
            guard failed > 0 else { return noteRefusals([]) }
            failures.increment(by: failed)
            logger.debug("events were not published", metadata: ["count": .stringConvertible(failed)])
            noteRefusals(
                results.compactMap { result in
                    if case .failure(.server(let message)) = result { message } else { nil }
                })
        }
    }

    private func noteRefusals(_ messages: [String]) {
        let reason = messages.first.map { String($0.prefix { $0 != " " }.prefix(32)) }
        let warning = watch.withLockedValue { $0.note(refused: messages.count, reason: reason, now: .now) }
        guard let warning else { return }
        logger.warning(
            "Redis refuses what is published; events are delivered later, from the log",
            metadata: ["reason": "\(warning.reason)", "count": .stringConvertible(warning.count)])
    }
}
