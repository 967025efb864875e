import ChatEvents
import CommonUtil
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import ServiceLifecycle

/// An event as it came from Redis.
public struct ReceivedEvent: Sendable {
    public let channel: EventChannel
    /// The published JSON, unchecked.
    public let json: ByteBuffer

    public init(channel: EventChannel, json: ByteBuffer) {
        self.channel = channel
        self.json = json
    }
}

/// Hears every event that is published for a room or a user, or for a user and the rooms that it is told to follow, and
/// knows whether it does.
///
/// A subscription can look healthy and deliver nothing. So this server publishes to itself, through Redis, once a
/// second; if that stays away the subscription is made anew, and until it delivers it counts as stalled.
public final class EventSubscriber: Service {
    private let subscription: RedisSubscription
    private let mode: RedisSubscribeMode
    private let rooms: RoomChannels
    private let timing: CanaryWatch.Timing
    private let canary: Canary
    private let watch: NIOLockedValueBox<CanaryWatch>
    private let onHearingChange: @Sendable (Bool) -> Void
    private let eventLoop: any EventLoop
    private let logger: Logger

    /// - Parameters:
    ///   - redis: what this server publishes to itself with; run by the caller.
    ///   - eventLoop: where the connection lives and the closures are called.
    ///   - onEvents: told all events of one read, in the order in which Redis sent them.
    ///   - onHearingChange: whether events are being heard from now on.
    public convenience init(
        configuration: RedisConfiguration, mode: RedisSubscribeMode = .pattern, redis: RedisClient,
        eventLoop: any EventLoop, logger: Logger,
        onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onHearingChange: @escaping @Sendable (_ isHearing: Bool) -> Void
    ) {
        self.init(
            configuration: configuration, mode: mode, redis: redis, eventLoop: eventLoop, timing: CanaryWatch.Timing(),
            logger: logger, onEvents: onEvents, onHearingChange: onHearingChange)
    }

    init(
        configuration: RedisConfiguration, mode: RedisSubscribeMode, redis: RedisClient, eventLoop: any EventLoop,
        timing: CanaryWatch.Timing, logger: Logger,
        onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onHearingChange: @escaping @Sendable (_ isHearing: Bool) -> Void
    ) {
        self.mode = mode
        self.timing = timing
        self.eventLoop = eventLoop
        self.logger = logger
        self.onHearingChange = onHearingChange
        let canary = Canary(channel: CanaryChannel(serverID: RoomID.random().rawValue), redis: redis)
        self.canary = canary
        let watch = NIOLockedValueBox(CanaryWatch(timing: timing, now: .now))
        self.watch = watch
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                let events = messages.compactMap { message in
                    EventChannel(name: message.channel).map { ReceivedEvent(channel: $0, json: message.payload) }
                }
                let isOwnHeard = messages.contains { $0.channel == canary.channel.name }
                if isOwnHeard, watch.withLockedValue({ $0.heard(now: .now) }) { onHearingChange(true) }
                if !events.isEmpty { onEvents(events) }
            },
            onStateChange: { state in
                let isSubscribed = state == .subscribed
                let hasEnded = watch.withLockedValue {
                    $0.subscriptionChanged(isSubscribed: isSubscribed, now: .now)
                }
                if hasEnded { onHearingChange(false) }
                if isSubscribed { canary.publishProbe() }
            })
        rooms = RoomChannels(subscription: subscription, logger: logger)
    }

    /// Whether all rooms are heard of, so that following one comes to nothing.
    public var hearsAllRooms: Bool { mode != .room }

    /// Hears of a room from now on.
    public func follow(_ roomID: RoomID) async {
        if !hearsAllRooms { await rooms.follow(roomID) }
    }

    /// Stops hearing of a room.
    public func drop(_ roomID: RoomID) {
        if !hearsAllRooms { rooms.drop(roomID) }
    }

    /// Why nothing is heard, or not of all rooms, in a few words; `nil` while all events are.
    public var stallReason: String? {
        let silence = watch.withLockedValue { watch in
            watch.isHearing ? nil : "nothing heard for \(watch.silence(now: .now).components.seconds) s"
        }
        let refused = rooms.refusedCount
        return silence ?? (refused > 0 ? "\(refused) rooms are not subscribed" : nil)
    }

    public func run() async throws {
        await rememberNames()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.subscription.run() }
            group.addTask { try await self.rooms.run() }
            group.addTask { try? await cancelWhenGracefulShutdown { try await self.keepWatch() } }
            // The subscription ends when it is told to; whatever ends first, the other has no more to do.
            try await group.next()
            group.cancelAll()
        }
    }

    private func keepWatch() async throws {
        while true {
            // What hears nothing is asked more often, so that it is believed again soon.
            let isHearing = watch.withLockedValue(\.isHearing)
            try await Task.sleep(for: isHearing ? timing.interval : timing.interval / 5)
            canary.publishProbe()
            for action in watch.withLockedValue({ $0.look(now: .now) }) {
                switch action {
                case .stalled:
                    logger.warning("the Redis subscription is open and delivers nothing")
                    // What it is by then: it may hear again before this is run.
                    eventLoop.execute { [watch, onHearingChange] in
                        onHearingChange(watch.withLockedValue { $0.isHearing })
                    }
                case .rebuild: subscription.rebuild(reason: "nothing was delivered")
                }
            }
        }
    }

    /// The names must be wanted before there is a connection, which else counts as subscribed without them. They are
    /// remembered from the call on, so its wait, for a connection that nobody makes yet, is cancelled at once.
    private func rememberNames() async {
        let remembering = Task { [subscription, mode, canary] in
            switch mode {
            case .pattern: try await subscription.psubscribe(patterns: EventChannel.patterns)
            case .room:
                async let users: Void = subscription.psubscribe(patterns: EventChannel.userPatterns)
                async let own: Void = subscription.subscribe(channels: [canary.channel.name])
                _ = try await (users, own)
            }
        }
        remembering.cancel()
        _ = await remembering.result
    }
}

/// A server's message to itself.
private struct Canary: Sendable {
    let channel: CanaryChannel
    let redis: RedisClient

    /// Publishes once, not waited for: Redis answers within its own deadline, or the message has stayed away.
    func publishProbe() {
        Task { [name = channel.name] in _ = try? await redis.publish(Array("{}".utf8), to: name) }
    }
}
