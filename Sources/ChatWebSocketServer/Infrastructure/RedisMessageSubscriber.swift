import ChatEventBus
import CommonUtil
import Logging
import NIOCore
import RedisClient
import ServiceLifecycle

/// Receives events from Redis and hands them to the broadcast service, on the feeds' event loop.
final class RedisMessageSubscriber: Service {
    private let subscriber: EventSubscriber

    /// - Parameter redis: the client that publishes the probes, which the subscription has to receive; run by the caller.
    init(
        configuration: RedisConfiguration, mode: RedisSubscribeMode, redis: RedisClient, eventLoop: any EventLoop,
        broadcast: WebSocketBroadcastService, logger: Logger
    ) {
        subscriber = EventSubscriber(
            configuration: configuration, mode: mode, redis: redis, eventLoop: eventLoop, logger: logger,
            onEvents: { broadcast.receive($0) },
            onDeliveryChange: { broadcast.receivingChanged($0) })
        broadcast.follow(with: subscriber)
    }

    /// Why no events arrive at present; `nil` while they do.
    var stallReason: String? { subscriber.stallReason }

    func run() async throws { try await subscriber.run() }
}
