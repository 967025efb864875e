import ChatEvents
import Logging
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

/// Hears every event that is published for a room or a user.
public final class EventSubscriber: Service {
    private let subscription: RedisSubscription

    /// - Parameters:
    ///   - eventLoop: where the connection lives and the closures are called.
    ///   - onEvents: told all events of one read, in the order in which Redis sent them.
    ///   - onStateChange: whether events are being heard from now on.
    public init(
        configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger,
        onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onStateChange: @escaping @Sendable (_ isSubscribed: Bool) -> Void
    ) {
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                onEvents(
                    messages.compactMap { message in
                        EventChannel(name: message.channel).map { ReceivedEvent(channel: $0, json: message.payload) }
                    })
            },
            onStateChange: { onStateChange($0 == .subscribed) })
    }

    public func run() async throws {
        await rememberPatterns()
        try await subscription.run()
    }

    /// The patterns must be wanted before there is a connection, which else counts as subscribed without them. Names
    /// are remembered from the call on, so its wait, for a connection that nobody makes yet, is cancelled at once.
    private func rememberPatterns() async {
        let remembering = Task { try await subscription.psubscribe(patterns: EventChannel.patterns) }
        remembering.cancel()
        _ = await remembering.result
    }
}
