import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// A subscriber connection to Redis, which ``run()`` maintains, and the names subscribed on it.
///
/// Redis stores nothing for a subscriber without a connection: messages published while the state is not
/// ``State/subscribed`` are not delivered.
public final class RedisSubscription: Service, Sendable {
    /// The state of the subscription.
    public enum State: Sendable, Hashable {
        /// `run()` has begun; there has been no connection.
        case connecting
        /// The server has confirmed all names that were wanted when the connection was made.
        case subscribed
        /// There is no connection, for this reason; reported once per outage.
        case lost(reason: String)
    }

    private let configuration: RedisConfiguration
    private let connector: RedisConnector
    private let eventLoop: any EventLoop
    private let metrics: SubscriptionMetrics
    private let logger: Logger
    private let session: NIOLoopBoundBox<SubscriptionSession>
    private let hasRun = Mutex(false)

    /// - Parameters:
    ///   - configuration: where the server is.
    ///   - eventLoop: the connection's, of a `MultiThreadedEventLoopGroup`.
    ///   - logger: warns once per outage.
    ///   - onMessages: called on the event loop once per read, with its messages in the order of arrival. It must not
    ///     block: Redis closes the connection of a subscriber that is too slow.
    ///   - onStateChange: called on the event loop.
    public init(
        configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger,
        onMessages: @escaping @Sendable ([RedisMessage]) -> Void,
        onStateChange: @escaping @Sendable (State) -> Void
    ) {
        var logger = logger
        logger[metadataKey: "redis"] = "\(configuration.host):\(configuration.port)"
        logger[metadataKey: "link"] = "subscription"
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        connector = RedisConnector(configuration: configuration, eventLoop: eventLoop, mode: .subscriber)
        metrics = SubscriptionMetrics(prefix: configuration.metricPrefix)
        session = NIOLoopBoundBox.makeBoxSendingValue(
            SubscriptionSession(
                configuration: configuration, metrics: metrics, logger: logger, onMessages: onMessages,
                onStateChange: onStateChange),
            eventLoop: eventLoop)
    }

    /// Connects and reconnects until the task is cancelled or the service group shuts down. Runs once.
    ///
    /// - Throws: ``RedisError/closed`` when it was called before.
    public func run() async throws {
        let isFirst = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        guard isFirst else { throw RedisError.closed }
        onLoop { $0.starting() }
        await ReconnectLoop(connector: connector, logger: logger, reconnects: metrics.reconnects).run(
            install: { [session] channel in try Self.install(session, on: channel) },
            onFailure: { [self] failure in onLoop { $0.attemptFailed(failure) } })
        onLoop { $0.closed() }
    }

    private static func install(
        _ session: NIOLoopBoundBox<SubscriptionSession>, on channel: any Channel
    ) throws -> RedisLink {
        let lost = channel.eventLoop.makePromise(of: String.self)
        let handler = SubscriptionHandler(session: session.value, lost: lost)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            lost.succeed("closed at once")
            throw error
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        return RedisLink(channel: channel, lost: lost.futureResult) {
            bound.eventLoop.execute { bound.value.close("shut down") }
        }
    }

    /// Closes the connection and makes a new one, for a caller that has noticed that it delivers nothing.
    public func rebuild(reason: String) {
        onLoop { $0.rebuild(reason: reason) }
    }

    // MARK: Names

    /// Subscribes to channels (`SUBSCRIBE`) and returns when the server has confirmed them.
    ///
    /// The names are kept from the call on and subscribed again on each new connection, also when this throws because
    /// there is no connection, the wait took longer than ``RedisConfiguration/commandTimeout``, or the task was
    /// cancelled. Subscribing to a name again changes nothing.
    ///
    /// - Throws: ``RedisError/overloaded`` beyond ``RedisConfiguration/maximumSubscriptions`` names (or
    ///   ``RedisConfiguration/maximumInFlight`` unconfirmed calls) and ``RedisError/server(_:)`` when the server
    ///   refuses; then new names are not kept.
    public func subscribe(channels: [String]) async throws(RedisError) {
        try await perform(SubscriptionRequest(channels.unique, kind: .channel, isAdding: true))
    }

    /// Ends subscriptions to channels (`UNSUBSCRIBE`) and returns when the server has confirmed. The names are
    /// removed by the call itself, unless it throws because too many requests are under way.
    public func unsubscribe(channels: [String]) async throws(RedisError) {
        try await perform(SubscriptionRequest(channels.unique, kind: .channel, isAdding: false))
    }

    /// Subscribes to glob-style patterns (`PSUBSCRIBE`); see ``subscribe(channels:)``.
    public func psubscribe(patterns: [String]) async throws(RedisError) {
        try await perform(SubscriptionRequest(patterns.unique, kind: .pattern, isAdding: true))
    }

    /// Ends subscriptions to patterns (`PUNSUBSCRIBE`); see ``unsubscribe(channels:)``.
    public func punsubscribe(patterns: [String]) async throws(RedisError) {
        try await perform(SubscriptionRequest(patterns.unique, kind: .pattern, isAdding: false))
    }

    private func perform(_ request: SubscriptionRequest) async throws(RedisError) {
        let deadline = eventLoop.scheduleTask(in: TimeAmount(configuration.commandTimeout)) {
            request.finish(.failure(.timedOut))
        }
        onLoop { $0.perform(request) }
        let outcome = await request.outcome()
        deadline.cancel()
        try outcome.get()
    }

    private func onLoop(_ work: @escaping @Sendable (SubscriptionSession) -> Void) {
        eventLoop.execute { [session] in work(session.value) }
    }
}

extension [String] {
    // Redis confirms a repeated name repeatedly, so each is sent once.
    fileprivate var unique: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
