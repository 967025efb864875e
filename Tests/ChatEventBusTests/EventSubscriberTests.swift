import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import NIOPosix
import RedisClient
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct EventSubscriberTests {
    @Test func `receives events of rooms and users, and nothing else`() async throws {
        let configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        let room = RoomID.random()
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            try await BusHarness.withClient(configuration) { redis in
                let channels = [
                    "chat:room:\(room)", "chat:user:77001", "chat:room:a b", "chat:user:x", "news", "chat:room:\(room)",
                ]
                let messages = channels.enumerated().map { (channel: $1, payload: Array("{\"n\":\($0)}".utf8)) }
                try await redis.ping()
                // The last two names are nobody's; the others match a pattern, ours or not.
                #expect(
                    await redis.publish(messages).map { (try? $0.get()).map { $0 > 0 } } == [
                        true, true, true, true, false, true,
                    ])
            }
            let mine = try await heard.events.events { $0.contains { $0.hasSuffix(" {\"n\":5}") } }
                .filter { $0.contains("\(room)") || $0.contains("77001") }
            #expect(
                mine == ["chat:room:\(room) {\"n\":0}", "chat:user:77001 {\"n\":1}", "chat:room:\(room) {\"n\":5}"])
        }
    }

    @Test func `hands on what one read brought together and in order`() async throws {
        let configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        let room = RoomID.random()
        let events = (1...2_000).map { event(Seq($0), in: room) }
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            try await BusHarness.withClient(configuration) { redis in
                try await redis.ping()
                _ = await redis.publish(events.map { ("chat:room:\(room)", $0.jsonBytes) })
            }
            #expect(try await heard.untilHeard(2_000, in: room) == events.map(\.heard))
            // Not one call for each.
            #expect(heard.batches.all.count < 1_000)
        }
    }

    @Test func `reports when delivery stops and begins again`() async throws {
        let engine = try await LocalRedis.ephemeral(logger: BusHarness.quiet)
        let configuration = try BusHarness.configuration(engine.url)
        let room = RoomID.random()
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            try await engine.kill()
            try await heard.states.events { $0.last == false && $0.contains(true) }
            try await engine.start()
            try await heard.states.events { $0.last == true }
            try await publishUntilHeard("chat:room:\(room)", heard, configuration)
        }
        try await engine.stop()
    }

    @Test func `begins to hear when Redis comes, if it was away at first`() async throws {
        let engine = try await LocalRedis.ephemeral(logger: BusHarness.quiet)
        try await engine.kill()
        let configuration = try BusHarness.configuration(engine.url)
        try await BusHarness.withSubscriber(configuration) { heard in
            try await engine.start()
            try await heard.states.first { $0 }
            try await publishUntilHeard("chat:user:1", heard, configuration)
        }
        try await engine.stop()
    }

    /// Publishes until the subscriber, and nobody else, is reached and has heard it. A subscription that was silent for
    /// seconds, as on a machine that stood still, is made again meanwhile.
    private func publishUntilHeard(_ channel: String, _ heard: Heard, _ configuration: RedisConfiguration) async throws
    {
        try await BusHarness.withClient(configuration) { redis in
            let deadline = ContinuousClock.now + .seconds(20)
            while true {
                let subscribers = try? await redis.publish(Array("{}".utf8), to: channel)
                let event = try? await heard.events.first(within: .seconds(1)) { $0 == "\(channel) {}" }
                if subscribers == 1, event != nil { return }
                try #require(.now < deadline, "\(subscribers ?? -1) subscribers")
                // `publish` fails at once while there is no connection.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// A server that gets `true` stops reading the log, so from that moment on no event may be lost.
    @Test func `reports delivery only once it delivers`() async throws {
        let engine = try await LocalRedis.ephemeral(logger: BusHarness.quiet)
        let configuration = try BusHarness.configuration(engine.url)
        let port = engine.port
        for _ in 0..<50 {
            // Tasks begin late on a busy machine.
            for _ in 0..<8 {
                Task.detached {
                    let end = ContinuousClock.now + .milliseconds(2)
                    while .now < end {}
                }
            }
            let receivers = EventCollector<String>()
            try await BusHarness.withSubscriber(
                configuration, onEvents: { _ in },
                onDeliveryChange: { isHearing in
                    // Blocks, so that nothing can happen in between.
                    if isHearing { receivers.append(Self.publish(port: port)) }
                }
            ) {
                let first = try await receivers.first(1)
                #expect(first != [":0"])
            }
        }
        try await engine.stop()
    }

    @Test func `a server that responds and delivers nothing is noticed, and its recovery as well`() async throws {
        let engine = try await LocalRedis.ephemeral(logger: BusHarness.quiet)
        var configuration = try BusHarness.configuration(engine.url)
        // Longer than the canary takes.
        configuration.keepAliveInterval = .seconds(60)
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first { $0 }
            await engine.pause()
            try await heard.states.events { $0.last == false }
            await engine.resume()
            try await heard.states.events { $0.last == true }
        }
        try await engine.stop()
    }

    /// Publishes by hand.
    /// - Returns: the server's reply: a colon and how many received it.
    private static func publish(port: Int) -> String {
        do {
            let socket = try TCPSocket()
            try socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(5))
            try socket.write("PUBLISH chat:user:1 {}\r\n")
            return String(decoding: try socket.read().prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        } catch {
            return "\(error)"
        }
    }
}
