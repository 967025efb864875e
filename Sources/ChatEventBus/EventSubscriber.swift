import ChatEvents
import CommonUtil
import Logging
import NIOCore
import RedisClient
import ServiceLifecycle
import Synchronization

/// An event received from Redis.
public struct ReceivedEvent: Sendable {
    /// The channel it was published on.
    public let channel: EventChannel
    /// The published JSON, not validated.
    public let json: ByteBuffer

    /// Describes a received event.
    public init(channel: EventChannel, json: ByteBuffer) {
        self.channel = channel
        self.json = json
    }
}

/// Subscribes to the events of users and rooms on Redis, of all rooms or of those that it follows.
///
/// A subscription can look healthy and deliver nothing. So this server publishes to itself, through Redis, once a
/// second; if the messages do not come back the subscription is rebuilt, and until it delivers it counts as stalled.
public final class EventSubscriber: Service {
    private let subscription: RedisSubscription
    private let mode: RedisSubscribeMode
    private let rooms: RoomChannels
    private let timing: CanaryWatch.Timing
    private let canary: Canary
    private let watch: SharedCanaryWatch
    private let onDeliveryChange: @Sendable (Bool) -> Void
    private let eventLoop: any EventLoop
    private let logger: Logger

    /// - Parameters:
    ///   - mode: whether to subscribe to all rooms (`CHAT_REDIS_SUBSCRIBE`).
    ///   - redis: publishes this server's messages to itself; run by the caller.
    ///   - eventLoop: the connection's, on which the closures are called.
    ///   - onEvents: called with all events of one read, in the order in which Redis sent them.
    ///   - onDeliveryChange: called when the subscription begins or stops delivering.
    public convenience init(
        configuration: RedisConfiguration, mode: RedisSubscribeMode = .pattern, redis: RedisClient,
        eventLoop: any EventLoop, logger: Logger,
        onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onDeliveryChange: @escaping @Sendable (_ isDelivering: Bool) -> Void
    ) {
        self.init(
            configuration: configuration, mode: mode, redis: redis, eventLoop: eventLoop, timing: CanaryWatch.Timing(),
            logger: logger, onEvents: onEvents, onDeliveryChange: onDeliveryChange)
    }

    init(
        configuration: RedisConfiguration, mode: RedisSubscribeMode, redis: RedisClient, eventLoop: any EventLoop,
        timing: CanaryWatch.Timing, logger: Logger,
        onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onDeliveryChange: @escaping @Sendable (_ isDelivering: Bool) -> Void
    ) {
        self.mode = mode
        self.timing = timing
        self.eventLoop = eventLoop
        self.logger = logger
        self.onDeliveryChange = onDeliveryChange
        let serverID = String(UInt64.random(in: .min ... .max), radix: 36)
        let canary = Canary(channel: CanaryChannel(serverID: serverID), redis: redis)
        self.canary = canary
        let watch = SharedCanaryWatch(CanaryWatch(timing: timing, now: .now))
        self.watch = watch
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                let events = messages.compactMap { message in
                    EventChannel(name: message.channel).map { ReceivedEvent(channel: $0, json: message.payload) }
                }
                let hasCanary = messages.contains { $0.channel == canary.channel.name }
                if hasCanary, watch.withLock({ $0.received(now: .now) }) { onDeliveryChange(true) }
                if !events.isEmpty { onEvents(events) }
            },
            onStateChange: { state in
                let isSubscribed = state == .subscribed
                let hasEnded = watch.withLock {
                    $0.subscriptionChanged(isSubscribed: isSubscribed, now: .now)
                }
                if hasEnded { onDeliveryChange(false) }
                if isSubscribed { canary.publishProbe(watch) }
            })
        rooms = RoomChannels(subscription: subscription, logger: logger)
    }

    /// Whether all rooms are subscribed, so that there is no need to follow one.
    public var subscribesToAllRooms: Bool { mode != .room }

    /// Subscribes to a room.
    public func follow(_ roomID: RoomID) async {
        if !subscribesToAllRooms { await rooms.follow(roomID) }
    }

    /// Ends the subscription to a room.
    public func drop(_ roomID: RoomID) {
        if !subscribesToAllRooms { rooms.drop(roomID) }
    }

    /// A short reason why no events are delivered, or not those of all rooms; `nil` while all are.
    public var stallReason: String? {
        let silence = watch.withLock { watch in
            watch.isDelivering ? nil : "nothing received for \(watch.silence(now: .now).components.seconds) s"
        }
        let refused = rooms.refusedCount
        return silence ?? (refused > 0 ? "\(refused) rooms are not subscribed" : nil)
    }

    /// Subscribes until graceful shutdown.
    public func run() async throws {
        await addNames()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.subscription.run() }
            group.addTask { try await self.rooms.run() }
            group.addTask { try? await cancelWhenGracefulShutdown { try await self.checkDelivery() } }
            // Each of them ends at graceful shutdown; whichever ends first, the others have no more to do.
            try await group.next()
            group.cancelAll()
        }
    }

    private func checkDelivery() async throws {
        while true {
            // A stalled subscription is checked more often, so that its recovery is noticed soon.
            let isDelivering = watch.withLock(\.isDelivering)
            try await Task.sleep(for: isDelivering ? timing.interval : timing.interval / 5)
            canary.publishProbe(watch)
            for action in watch.withLock({ $0.check(now: .now) }) { perform(action) }
        }
    }

    private func perform(_ action: CanaryWatch.Action) {
        switch action {
        case .stalled:
            logger.warning("the Redis subscription is open and delivers nothing")
            // The state when this runs, since the subscription may have recovered by then.
            eventLoop.execute { [watch, onDeliveryChange] in onDeliveryChange(watch.withLock { $0.isDelivering }) }
        case .rebuild: subscription.rebuild(reason: "nothing was delivered")
        }
    }

    /// Adds the names before there is a connection, which otherwise would count as subscribed without them. They are
    /// added by the call itself, so its wait for a connection is cancelled at once.
    private func addNames() async {
        let adding = Task { [subscription, mode, canary] in
            switch mode {
            case .pattern: try await subscription.psubscribe(patterns: EventChannel.patterns)
            case .room:
                async let users: Void = subscription.psubscribe(patterns: EventChannel.userPatterns)
                async let own: Void = subscription.subscribe(channels: [canary.channel.name])
                _ = try await (users, own)
            }
        }
        adding.cancel()
        _ = await adding.result
    }
}

/// A server's messages to itself.
private struct Canary: Sendable {
    let channel: CanaryChannel
    let redis: RedisClient

    /// Publishes a message without waiting. `watch` is updated once Redis has accepted it.
    func publishProbe(_ watch: SharedCanaryWatch) {
        let began = ContinuousClock.now
        Task { [name = channel.name] in
            guard (try? await redis.publish(Array("{}".utf8), to: name)) != nil else { return }
            watch.withLock { $0.published(began: began) }
        }
    }
}

/// The watch of a subscription, which the subscription's callbacks share with their owner.
private final class SharedCanaryWatch: Sendable {
    private let watch: Mutex<CanaryWatch>

    init(_ watch: CanaryWatch) { self.watch = Mutex(watch) }

    func withLock<Result: Sendable>(_ body: (inout CanaryWatch) -> Result) -> Result { watch.withLock { body(&$0) } }
}
