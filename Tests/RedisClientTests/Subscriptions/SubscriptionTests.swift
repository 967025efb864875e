import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(1))) struct SubscriptionTests {
    @Test func `messages arrive in order, in batches, by channel and by pattern`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withSubscription(Harness.configuration(redis)) { subscription, events in
            try await subscription.subscribe(channels: ["news", "news", "other"])
            try await subscription.psubscribe(patterns: ["room:*"])
            try await Harness.withClient(of: redis) { client in
                try await client.ping()
                let messages = (0..<1_000).map { number in
                    (channel: number.isMultiple(of: 2) ? "news" : "room:7", payload: Array("\(number)".utf8))
                }
                #expect(await client.publish(messages) == Array(repeating: .success(1), count: 1_000))
            }
            let received = try await events.messages.next(1_000)
            #expect(received.map { String(buffer: $0.payload) } == (0..<1_000).map(String.init))
            #expect(received[0].channel == "news")
            #expect(received[0].pattern == nil)
            #expect(received[1].channel == "room:7")
            #expect(received[1].pattern == "room:*")
            #expect(events.messages.batches < 500)
        }
    }

    @Test func `what is unsubscribed is not received`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withSubscription(Harness.configuration(redis)) { subscription, events in
            try await subscription.subscribe(channels: ["a", "b"])
            try await subscription.psubscribe(patterns: ["c*"])
            try await subscription.unsubscribe(channels: ["a"])
            try await subscription.punsubscribe(patterns: ["c*"])
            try await Harness.withClient(of: redis) { client in
                try await client.ping()
                let messages = ["a", "c", "b"].map { (channel: $0, payload: Array($0.utf8)) }
                #expect(await client.publish(messages) == [.success(0), .success(0), .success(1)])
            }
            #expect(try await events.messages.next().channel == "b")
        }
    }

    @Test func `a killed connection is lost, made again and subscribed again`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withSubscription(Harness.configuration(redis)) { subscription, events in
            try await subscription.subscribe(channels: ["a"])
            try await subscription.psubscribe(patterns: ["p*"])
            #expect(try await events.states.next(2) == [.connecting, .subscribed])
            try await Harness.withClient(of: redis) { client in
                let killed = try await client.send("CLIENT", "KILL", "TYPE", "pubsub")
                #expect(killed == .integer(1))
                #expect(try await events.states.next().isLost)
                #expect(try await events.states.next() == .subscribed)
                let messages = ["a", "p1"].map { (channel: $0, payload: Array("again".utf8)) }
                #expect(await client.publish(messages) == [.success(1), .success(1)])
            }
            #expect(try await events.messages.next(2).map(\.channel) == ["a", "p1"])
        }
    }

    @Test func `rebuilding makes a new connection`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withSubscription(Harness.configuration(redis)) { subscription, events in
            try await subscription.subscribe(channels: ["a"])
            #expect(try await events.states.next(2) == [.connecting, .subscribed])
            subscription.rebuild(reason: "canary")
            #expect(try await events.states.next() == .lost(reason: "canary"))
            #expect(try await events.states.next() == .subscribed)
            try await Harness.withClient(of: redis) { client in
                try await client.ping()
                #expect(try await client.publish(Array("x".utf8), to: "a") == 1)
            }
        }
    }

    @Test func `outlives a restart of the server and takes up names from the outage`() async throws {
        let redis = try await RedisFixture()
        try await Harness.withSubscription(Harness.configuration(redis)) { subscription, events in
            try await subscription.subscribe(channels: ["before"])
            redis.stop()
            _ = try await events.states.first(where: \.isLost)
            await #expect(throws: RedisError.notConnected) { try await subscription.subscribe(channels: ["during"]) }
            try await redis.start()
            #expect(try await events.states.next() == .subscribed)
            try await Harness.withClient(of: redis) { client in
                try await client.ping()
                let messages = ["before", "during"].map { (channel: $0, payload: Array("x".utf8)) }
                #expect(await client.publish(messages) == [.success(1), .success(1)])
            }
        }
    }

    @Test func `a server that falls silent is noticed`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.keepAliveInterval = .milliseconds(200)
        configuration.keepAliveTimeout = .milliseconds(300)
        configuration.commandTimeout = .seconds(5)
        try await Harness.withSubscription(configuration) { subscription, events in
            try await subscription.subscribe(channels: ["a"])
            #expect(try await events.states.next(2) == [.connecting, .subscribed])
            redis.suspend()
            #expect(try await events.states.next() == .lost(reason: "the server is silent"))
            redis.resume()
            #expect(try await events.states.next() == .subscribed)
        }
    }

    @Test func `an idle connection is kept by its pings`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.keepAliveInterval = .milliseconds(20)
        try await Harness.withSubscription(configuration) { subscription, events in
            try await subscription.subscribe(channels: ["a"])
            try await Harness.withClient(of: redis) { client in
                func pings() async throws -> Int {
                    let statistics = try await client.send("INFO", "commandstats").string ?? ""
                    let calls = statistics.split(separator: "cmdstat_ping:calls=").dropFirst().first?.prefix {
                        $0 != ","
                    }
                    return calls.flatMap { Int($0) } ?? 0
                }
                // Pings go on, and nothing but pings keeps this loop from ending.
                try await until("8 pings") { try await pings() >= 8 }
                #expect(try await client.publish(Array("x".utf8), to: "a") == 1)
            }
            #expect(try await events.states.next(2) == [.connecting, .subscribed])
            #expect(try await events.messages.next().channel == "a")
        }
    }

    @Test func `what the server refuses is thrown and forgotten`() async throws {
        let redis = try await RedisFixture { port, _ in ["--port", "\(port)", "--acl-pubsub-default", "resetchannels"] }
        try await Harness.withClient(of: redis) { client in
            try await client.send("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "&allowed")
        }
        let configuration = try Harness.configuration("redis://ann:pw@127.0.0.1:\(redis.port)")
        try await Harness.withSubscription(configuration) { subscription, events in
            try await subscription.subscribe(channels: ["allowed"])
            let error = await #expect(throws: RedisError.self) {
                try await subscription.subscribe(channels: ["other"])
            }
            guard case .server = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            subscription.rebuild(reason: "test")
            #expect(try await events.states.next(4).last == .subscribed)
        }
    }

    @Test func `cancelled and ended calls return`() async throws {
        let redis = try await RedisFixture()
        let configuration = try Harness.configuration(redis)
        let idle = RedisSubscription(
            configuration: configuration, eventLoop: Harness.eventLoop, logger: Harness.quiet, onMessages: { _ in },
            onStateChange: { _ in })
        let waiting = Task { try await idle.subscribe(channels: ["a"]) }
        waiting.cancel()
        #expect(await waiting.result.failure as? RedisError == .cancelled)

        let running = Task { try await idle.run() }
        try await idle.subscribe(channels: ["b"])
        running.cancel()
        try await running.value
        await #expect(throws: RedisError.closed) { try await idle.subscribe(channels: ["c"]) }
        await #expect(throws: RedisError.closed) { try await idle.run() }
    }
}
