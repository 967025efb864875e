import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import Logging
import NIOCore
import NIOPosix
import RedisClient
import ServiceLifecycle
import Testing

enum BusHarness {
    /// Says nothing: outages are what some tests are about.
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func configuration(_ url: String) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: url)
        configuration.commandTimeout = .seconds(5)
        configuration.maximumBackoff = .milliseconds(200)
        return configuration
    }

    /// Runs a client for the time of `body`, which is called once there is a connection, unless `isConnected` is false.
    static func withClient<Result: Sendable>(
        _ configuration: RedisConfiguration, isConnected: Bool = true,
        _ body: (RedisClient) async throws -> Result
    ) async throws -> Result {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let client = RedisClient(configuration: configuration, eventLoop: eventLoop, logger: quiet)
        return try await whileRunning {
            try await client.run()
        } _: {
            if isConnected { try await client.untilConnected() }
            return try await body(client)
        }
    }

    /// Runs a service for the time of `body`, and then stops it gracefully.
    static func running<Result: Sendable>(
        _ service: some Service, _ body: () async throws -> Result
    ) async throws -> Result {
        let group = ServiceGroup(services: [service], logger: quiet)
        return try await whileRunning({ try await group.run() }, stop: { await group.triggerGracefulShutdown() }, body)
    }

    /// Runs a subscriber to everything.
    static func withSubscriber<Result: Sendable>(
        _ configuration: RedisConfiguration, _ body: (Heard) async throws -> Result
    ) async throws -> Result {
        let heard = Heard()
        return try await withSubscriber(
            configuration, onEvents: { heard.take($0) }, onDeliveryChange: { heard.states.append($0) }
        ) { try await body(heard) }
    }

    static func withSubscriber<Result: Sendable>(
        _ configuration: RedisConfiguration, onEvents: @escaping @Sendable ([ReceivedEvent]) -> Void,
        onDeliveryChange: @escaping @Sendable (Bool) -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let redis = RedisClient(configuration: configuration, eventLoop: eventLoop, logger: quiet)
        let subscriber = EventSubscriber(
            configuration: configuration, redis: redis, eventLoop: eventLoop, logger: quiet, onEvents: onEvents,
            onDeliveryChange: onDeliveryChange)
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

/// The events of a subscriber.
final class Heard: Sendable {
    /// `channel json`
    let events = EventCollector<String>()
    /// The number of events of each call.
    let batches = EventCollector<Int>()
    let states = EventCollector<Bool>()

    func take(_ received: [ReceivedEvent]) {
        batches.append(received.count)
        events.append(contentsOf: received.map { "\($0.channel.name) \(String(buffer: $0.json))" })
    }

    /// The events of one room; other tests use the same Redis.
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

extension RedisClient {
    /// Returns when there is a connection.
    func untilConnected() async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while !isConnected {
            try #require(.now < deadline, "no connection to Redis")
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}
