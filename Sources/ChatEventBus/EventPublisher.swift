import ChatEvents
import CommonUtil
import Logging
import Metrics
import RedisClient
import ServiceLifecycle
import Synchronization

/// Publishes events on Redis, in the order of the calls.
///
/// Publishing is a hint that makes delivery instant; the log holds the events. So nothing here waits or fails: an event
/// that cannot be published (Redis is away, or so slow that its client is overloaded) is counted and dropped, and the
/// servers that miss it read it from the log.
///
/// While it runs it also publishes which rooms have something new for the feed of changes (``ChangedRooms``). Start it
/// after the client of Redis and before what stores events, so that it stops between them.
public final class EventPublisher: Service {
    /// Rooms that wait to be published, at most; the feed finds others by comparing heads.
    private static let maximumChangedRooms = 50_000

    private let redis: RedisClient
    private let logger: Logger
    private let interval: Duration
    private let changedRooms = Mutex(Set<RoomID>())
    private let (noted, noter) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let published = Counter(label: "chat_events_published_total")
    private let failures = Counter(label: "chat_events_publish_failures_total")
    private let watch = Mutex(PublicationWatch())

    /// - Parameters:
    ///   - redis: run by the caller.
    ///   - interval: between two messages about rooms that have something new.
    public init(redis: RedisClient, interval: Duration = .milliseconds(50), logger: Logger) {
        self.redis = redis
        self.interval = interval
        self.logger = logger
    }

    /// Publishes events of rooms' logs.
    public func publish(_ events: [RoomEvent]) {
        publish(events.map { (EventChannel.room($0.roomID).name, $0.jsonBytes) })
        note(events.lazy.map(\.roomID))
    }

    /// Publishes messages that have just been stored.
    public func publish(_ posts: [PostedMessage]) {
        publish(posts.map { (EventChannel.room($0.message.roomID).name, $0.eventJSON) })
        note(posts.lazy.map(\.message.roomID))
    }

    /// Publishes an event without a `seq`.
    public func publish(_ event: EphemeralEvent) {
        publish([(EventChannel.room(event.roomID).name, event.jsonBytes)])
    }

    /// Publishes changes of users' lists of rooms: after the commit, and after the events of the same transaction.
    public func publish(_ changes: [UserChange]) {
        publish(changes.map { (EventChannel.user($0.userID).name, $0.jsonBytes) })
        // A room is made without an event; its members are the first to hear of it.
        note(changes.lazy.filter { $0.kind == .roomAdded }.map(\.roomID))
    }

    /// Notes rooms that were made, perhaps without members or events, as new to the feed of changes: after the commit.
    public func note(newRooms roomIDs: [RoomID]) { note(roomIDs) }

    /// Publishes until graceful shutdown which rooms have something new: the first at once, others after the interval.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.noted {
                self.publishChangedRooms()
                guard (try? await Task.sleep(for: self.interval)) != nil else { return }
            }
        }
        publishChangedRooms()
    }

    private func note(_ roomIDs: some Sequence<RoomID>) {
        let isFirst = changedRooms.withLock { changed in
            let wasEmpty = changed.isEmpty
            for roomID in roomIDs where changed.count < Self.maximumChangedRooms { changed.insert(roomID) }
            return wasEmpty && !changed.isEmpty
        }
        if isFirst { noter.yield() }
    }

    private func publishChangedRooms() {
        let changed = changedRooms.withLock { changed in
            defer { changed.removeAll(keepingCapacity: changed.count <= ChangedRooms.maximumCount) }
            return Array(changed)
        }
        publish(
            changed.chunks(of: ChangedRooms.maximumCount).map { (ChangedRooms.channel, ChangedRooms($0).jsonBytes) })
    }

    /// The error code with which Redis refuses publications, such as `NOPERM`; `nil` while it accepts them.
    public var refusal: String? { watch.withLock { $0.refusal } }

    private func publish(_ messages: [(channel: String, payload: [UInt8])]) {
        // A batch of repeated posts has no new events, and says nothing about Redis.
        guard !messages.isEmpty else { return }
        redis.publish(messages) { [self] results in
            let failed = results.count { result in
                if case .failure = result { true } else { false }
            }
            published.increment(by: results.count - failed)
            guard failed > 0 else { return recordRefusals([]) }
            failures.increment(by: failed)
            logger.debug("events were not published", metadata: ["count": .stringConvertible(failed)])
            recordRefusals(
                results.compactMap { result in
                    if case .failure(.server(let message)) = result { message } else { nil }
                })
        }
    }

    private func recordRefusals(_ messages: [String]) {
        let reason = messages.first.map { String($0.prefix { $0 != " " }.prefix(32)) }
        let warning = watch.withLock { $0.record(refused: messages.count, reason: reason, now: .now) }
        guard let warning else { return }
        logger.warning(
            "Redis refuses what is published; events are delivered later, from the log",
            metadata: ["reason": "\(warning.reason)", "count": .stringConvertible(warning.count)])
    }
}

/// Tracks whether Redis accepts publications. A connection may be up and every `PUBLISH` be refused, by an ACL for
/// instance; then events are delivered late, from the log. Pure: the time is passed in.
struct PublicationWatch {
    /// A warning for the operator, with the number of refused publications since the last one.
    struct Warning: Equatable {
        var reason: String
        var count: Int
    }

    /// The error code of the last refused publication; `nil` once none of a later batch was refused.
    private(set) var refusal: String?
    private var throttle = Throttle(interval: .seconds(60))

    /// Records the outcome of a batch.
    /// - Parameters:
    ///   - refused: the number of refused publications.
    ///   - reason: their error code.
    /// - Returns: a warning to log, at most once a minute.
    mutating func record(refused: Int, reason: String?, now: ContinuousClock.Instant) -> Warning? {
        refusal = refused > 0 ? reason : nil
        guard let refusal else { return nil }
        return throttle.pass(refused, now: now).map { Warning(reason: refusal, count: $0) }
    }
}
