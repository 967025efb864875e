import ChatEventBus
import ChatEvents
import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Metrics
import MetricsTestKit
import NIOCore
import RedisClient
import Testing

@Suite(.timeLimit(.minutes(2))) struct EventPublisherTests {
    @Test func `events arrive in the order in which they were handed over`() async throws {
        let configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        let room = RoomID.random()
        let events = (1...3_000).map { event(Seq($0), in: room) }
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            try await BusHarness.withClient(configuration) { redis in
                try await redis.ping()
                let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
                for start in stride(from: 0, to: events.count, by: 7) {
                    publisher.publish(Array(events[start..<min(start + 7, events.count)]))
                }
                try await untilSent(redis)
            }
            #expect(try await heard.untilHeard(events.count, in: room) == events.map(\.heard))
        }
    }

    @Test func `what passes by goes the same way`() async throws {
        let configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        let room = RoomID.random()
        let typing = EphemeralEvent.typing(room, UserID(5), isTyping: true)
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            try await BusHarness.withClient(configuration) { redis in
                try await redis.ping()
                let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
                publisher.publish([event(1, in: room)])
                publisher.publish(typing)
                publisher.publish([event(2, in: room)])
                publisher.publish([RoomEvent]())
                try await untilSent(redis)
            }
            let text = "chat:room:\(room) \(String(decoding: typing.jsonBytes, as: UTF8.self))"
            #expect(
                try await heard.untilHeard(3, in: room) == [event(1, in: room).heard, text, event(2, in: room).heard])
        }
    }

    @Test func `without Redis publishing neither fails nor waits, and lost events are counted`() async throws {
        let configuration = try BusHarness.configuration("redis://127.0.0.1:\(try FreePort.next())")
        let room = RoomID.random()
        let metrics = TestMetrics()
        let start = ContinuousClock.now
        try await BusHarness.withClient(configuration, isConnected: false) { redis in
            withMetricsFactory(metrics) {
                let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
                for seq in 1...2_000 { publisher.publish([event(Seq(seq), in: room)]) }
            }
        }
        #expect(.now - start < .seconds(10))
        #expect(try metrics.expectCounter("chat_events_publish_failures_total").totalValue == 2_000)
        #expect(try metrics.expectCounter("chat_events_published_total").totalValue == 0)
    }

    @Test func `what is published is counted, and what is beyond the client's bound as a failure`() async throws {
        var configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        configuration.maximumInFlight = 30
        let room = RoomID.random()
        let metrics = TestMetrics()
        try await BusHarness.withClient(configuration) { redis in
            try await redis.ping()
            try await withMetricsFactory(metrics) {
                let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
                publisher.publish((1...31).map { event($0, in: room) })
                publisher.publish((1...30).map { event($0, in: room) })
                try await untilSent(redis)
            }
        }
        #expect(try metrics.expectCounter("chat_events_publish_failures_total").totalValue == 31)
        #expect(try metrics.expectCounter("chat_events_published_total").totalValue == 30)
    }

    @Test func `a frozen Redis holds up not those who publish, and later events arrive`() async throws {
        let engine = try await LocalRedis.ephemeral(logger: BusHarness.quiet)
        var configuration = try BusHarness.configuration(engine.url)
        configuration.commandTimeout = .milliseconds(500)
        configuration.connectTimeout = .seconds(1)
        configuration.maximumInFlight = 100
        let room = RoomID.random()
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            try await BusHarness.withClient(configuration) { redis in
                try await untilConnected(redis)
                let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
                await engine.pause()
                let start = ContinuousClock.now
                for seq in 1...10_000 { publisher.publish([event(Seq(seq), in: room)]) }
                #expect(.now - start < .seconds(30))
                // Until the client closes the silent connection, for which there is no event.
                while redis.isConnected { try await Task.sleep(for: .milliseconds(5)) }
                await engine.resume()
                try await untilConnected(redis)
                // The subscriber may have to come back, too.
                let later = RoomID.random()
                var seq: Seq = 0
                while heard.events(in: later).isEmpty {
                    seq += 1
                    publisher.publish([event(seq, in: later)])
                    _ = try? await redis.ping()
                    try #require(seq < 100_000)
                }
            }
        }
        try await engine.stop()
    }

    /// Behind what was published on the same connection.
    private func untilSent(_ redis: RedisClient) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                return try await redis.ping()
            } catch RedisError.overloaded {
                try #require(ContinuousClock.now < deadline)
                await Task.yield()
            }
        }
    }

    private func untilConnected(_ redis: RedisClient) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while (try? await redis.ping()) == nil { try #require(ContinuousClock.now < deadline) }
    }
}
