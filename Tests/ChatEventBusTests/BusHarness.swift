import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import Logging
import NIOCore
import NIOPosix
import RedisClient
import ServiceLifecycle

enum BusHarness {
    /// Says nothing: outages are what some tests are about.
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func configuration(_ url: String) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: url)
        configuration.connectionWait = .seconds(10)
        configuration.commandTimeout = .seconds(5)
        configuration.maximumBackoff = .milliseconds(200)
        return configuration
    }

    static func withClient<Result: Sendable>(
        _ configuration: RedisConfiguration, _ body: (RedisClient) async throws -> Result
    ) async throws -> Result {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let client = RedisClient(configuration: configuration, eventLoop: eventLoop, logger: quiet)
        return try await whileRunning {
            try await client.run()
        } _: {
            try await body(client)
        }
    }

    /// Runs a service for the time of `body`, and then stops it gracefully.
    static func running<Result: Sendable>(
        _ service: some Service, _ body: () async throws -> Result
    ) async throws -> Result {
        let group = ServiceGroup(services: [service], logger: quiet)
        return try await whileRunning({ try await group.run() }, stop: { await group.triggerGracefulShutdown() }, body)
    }

    /// Runs a subscriber that hears everything.
    static func withSubscriber<Result: Sendable>(
        _ configuration: RedisConfiguration, _ body: (Heard) async throws -> Result
    ) async throws -> Result {
        let heard = Heard()
        return try await withSubscriber(
            configuration, onEvents: { heard.take($0) }, onHearingChange: { heard.states.append($0) }
        ) { try await body(heard) }
    }

    static func withSubscriber<Result: Sendable>(
        _ configuration: RedisConfiguration, onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onHearingChange: @escaping @Sendable (Bool) -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        // As servers have it: what the subscription is proved with waits for no connection.
        var proving = configuration
        proving.connectionWait = .zero
        let redis = RedisClient(configuration: proving, eventLoop: eventLoop, logger: quiet)
        let subscriber = EventSubscriber(
            configuration: configuration, redis: redis, eventLoop: eventLoop, logger: quiet, onEvents: onEvents,
            onHearingChange: onHearingChange)
        return try await whileRunning {
            try await redis.run()
        } _: {
            try await whileRunning {
                try await subscriber.run()
            } _: {
                try await body()
            }
        }
    }
}

/// What a subscriber heard.
final class Heard: Sendable {
    /// `channel json`
    let events = EventCollector<String>()
    /// How many events came in one call.
    let batches = EventCollector<Int>()
    let states = EventCollector<Bool>()

    func take(_ received: [ReceivedEvent]) {
        batches.append(received.count)
        events.append(contentsOf: received.map { "\($0.channel.name) \(String(buffer: $0.json))" })
    }

    /// What was heard in one room; other tests talk on the same Redis.
    func events(in roomID: RoomID) -> [String] {
        events.all.filter { $0.hasPrefix("chat:room:\(roomID) ") }
    }

    func untilHeard(_ count: Int, in roomID: RoomID) async throws -> [String] {
        let prefix = "chat:room:\(roomID) "
        try await events.events { events in events.count { $0.hasPrefix(prefix) } >= count }
        return events(in: roomID)
    }
}

func event(_ seq: Seq, in roomID: RoomID) -> RoomEvent {
    RoomEvent(
        roomID: roomID, seq: seq,
        change: .memberLeft(UserID(5), by: UserID(1), at: Timestamp(microseconds: 1_700_000_000_000_000)))
}

extension RoomEvent {
    /// As ``Heard/events`` has it.
    var heard: String { "chat:room:\(roomID) \(String(decoding: jsonBytes, as: UTF8.self))" }
}
