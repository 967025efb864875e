import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import RedisClient

/// What the integration tests share: an event loop, clients that run for the time of a closure, events to wait for.
enum Harness {
    static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func configuration(_ url: String) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: url)
        configuration.commandTimeout = .seconds(10)
        return configuration
    }

    static func configuration(_ redis: RedisFixture) throws -> RedisConfiguration {
        try configuration("redis://127.0.0.1:\(redis.port)")
    }

    /// Runs a client for the time of `body`, which is called once there is a connection, unless `isConnected` is false.
    static func withClient(
        _ configuration: RedisConfiguration, logger: Logger = quiet, isConnected: Bool = true,
        _ body: @Sendable (RedisClient) async throws -> Void
    ) async throws {
        let client = RedisClient(configuration: configuration, eventLoop: eventLoop, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            if isConnected { try await client.untilConnected() }
            try await body(client)
            group.cancelAll()
        }
    }

    static func withClient(
        of redis: RedisFixture, _ body: @Sendable (RedisClient) async throws -> Void
    ) async throws {
        try await withClient(configuration(redis), body)
    }

    static func withSubscription(
        _ configuration: RedisConfiguration,
        _ body: @Sendable (RedisSubscription, SubscriptionEvents) async throws -> Void
    ) async throws {
        let events = SubscriptionEvents()
        let subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: quiet,
            onMessages: { events.messages.append($0) }, onStateChange: { events.states.append([$0]) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await subscription.run() }
            try await body(subscription, events)
            group.cancelAll()
        }
    }
}

struct SubscriptionEvents: Sendable {
    let messages = EventLog<RedisMessage>()
    let states = EventLog<RedisSubscription.State>()
}

/// Events in order, which one task takes as they come.
final class EventLog<Event: Sendable>: Sendable {
    private struct State {
        var events: [Event] = []
        var taken = 0
        var waiter: CheckedContinuation<Void, Never>?
        var batches = 0
    }

    private let state = Mutex(State())

    /// How many times events were appended.
    var batches: Int { state.withLock(\.batches) }

    func append(_ events: [Event]) {
        let waiter = state.withLock { state in
            state.events += events
            state.batches += events.isEmpty ? 0 : 1
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// The next event. Its deadline is the suite's time limit, which cancels the test.
    func next() async throws -> Event {
        while true {
            let event: Event? = state.withLock { state in
                guard state.taken < state.events.count else { return nil }
                state.taken += 1
                return state.events[state.taken - 1]
            }
            if let event { return event }
            await untilAppended()
            try Task.checkCancellation()
        }
    }

    private func untilAppended() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.taken < state.events.count || Task.isCancelled { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            append([])
        }
    }

    func next(_ count: Int) async throws -> [Event] {
        var events: [Event] = []
        for _ in 0..<count {
            events.append(try await next())
        }
        return events
    }

    func first(where matches: (Event) -> Bool) async throws -> Event {
        while true {
            let event = try await next()
            if matches(event) { return event }
        }
    }
}

extension RedisSubscription.State {
    var isLost: Bool {
        if case .lost = self { true } else { false }
    }
}

extension RedisClient {
    /// Returns when there is a connection.
    func untilConnected() async throws { try await until("a connection") { isConnected } }
}

/// Returns when a condition holds that has no event to wait for.
/// - Throws: ``Timeout`` after ten seconds.
func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw Timeout(what: what) }
        try await Task.sleep(for: .milliseconds(1))
    }
}

struct Timeout: Error {
    let what: String
}
