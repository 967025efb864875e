import ChatEventBus
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import ServiceLifecycle

/// Hears what is published on Redis and hands it to the broadcast service, on the event loop of its feeds.
final class RedisMessageSubscriber: Service {
    private let subscriber: EventSubscriber
    private let hearing: NIOLockedValueBox<Bool>

    init(
        configuration: RedisConfiguration, eventLoop: any EventLoop, broadcast: WebSocketBroadcastService,
        logger: Logger
    ) {
        let hearing = NIOLockedValueBox(false)
        self.hearing = hearing
        subscriber = EventSubscriber(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onEvents: { broadcast.receive($0) },
            onStateChange: { isSubscribed in
                hearing.withLockedValue { $0 = isSubscribed }
                broadcast.hearingChanged(isSubscribed)
            })
    }

    /// Whether events are heard right now.
    var isHearing: Bool { hearing.withLockedValue { $0 } }

    func run() async throws { try await subscriber.run() }
}
