import ChatEventBus
import CommonUtil
import Logging
import NIOCore
import RedisClient
import ServiceLifecycle

/// Hears what is published on Redis and hands it to the broadcast service, on the event loop of its feeds.
final class RedisMessageSubscriber: Service {
    private let subscriber: EventSubscriber

    /// - Parameter redis: what the subscription is proved with; run by the caller.
    init(
        configuration: RedisConfiguration, mode: RedisSubscribeMode, redis: RedisClient, eventLoop: any EventLoop,
        broadcast: WebSocketBroadcastService, logger: Logger
    ) {
        subscriber = EventSubscriber(
            configuration: configuration, mode: mode, redis: redis, eventLoop: eventLoop, logger: logger,
            onEvents: { broadcast.receive($0) },
            onDeliveryChange: { broadcast.hearingChanged($0) })
        broadcast.follow(with: subscriber)
    }

    /// Why no events are heard right now; `nil` while they are.
    var stallReason: String? { subscriber.stallReason }

    func run() async throws { try await subscriber.run() }
}
