import ChatEvents
import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import NIOPosix
import RedisClient
import Testing

@testable import ChatEventBus

/// A Redis that is there and does not do as it is asked.
@Suite(.timeLimit(.minutes(2))) struct RefusedPublicationTests {
    /// A user of the shared Redis with these rules besides `on nopass`.
    private func url(_ name: String, _ rules: String...) async throws -> String {
        let url = try await SharedEngines.redisURL
        try await BusHarness.withClient(try BusHarness.configuration(url)) { admin in
            var command: [RedisArgument] = ["ACL", "SETUSER", .string(name), "on", ">word"]
            command += rules.map { .string($0) }
            try await admin.send(command)
        }
        return url.replacing("redis://", with: "redis://\(name):word@")
    }

    @Test func `a refused publisher reports the refusal`() async throws {
        let url = try await url("mute", "~*", "&*", "+@all", "-publish")
        try await BusHarness.withClient(try BusHarness.configuration(url)) { redis in
            try await redis.ping()
            let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
            #expect(publisher.refusal == nil)
            publisher.publish([event(1, in: .random())])
            try await until("the refusal is known") { publisher.refusal == "NOPERM" }
            // A batch in which nothing is new says nothing.
            publisher.publish([RoomEvent]())
            try await redis.ping()
            #expect(publisher.refusal == "NOPERM")
            _ = try await self.url("mute", "+publish")
            publisher.publish([event(1, in: .random())])
            try await until("the refusal is over") { publisher.refusal == nil }
        }
    }

    @Test func `rooms beyond the maximum are counted and subscribed later`() async throws {
        var configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        configuration.maximumSubscriptions = 10
        let subscription = RedisSubscription(
            configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: BusHarness.quiet, onMessages: { _ in }, onStateChange: { _ in })
        let channels = RoomChannels(
            subscription: subscription, retryInterval: .seconds(3_600), logger: BusHarness.quiet)
        try await BusHarness.running(subscription) {
            try await BusHarness.running(channels) {
                let rooms = (0..<16).map { _ in RoomID.random() }
                await withTaskGroup(of: Void.self) { group in
                    for room in rooms { group.addTask { await channels.follow(room) } }
                }
                // All that there is room for are subscribed, whatever batches they came in.
                #expect(channels.refusedCount == 6)
                for room in rooms { channels.drop(room) }
                let late = RoomID.random()
                await channels.follow(late)
                #expect(channels.refusedCount == 0)
                // Room for one is room for one of those that wait.
                let more = (0..<10).map { _ in RoomID.random() }
                for room in more { await channels.follow(room) }
                #expect(channels.refusedCount == 1)
                channels.drop(late)
                try await until("the last one is subscribed") { channels.refusedCount == 0 }
            }
        }
    }

    @Test func `rooms that Redis refuses are counted and tried again`() async throws {
        let url = try await url("limited", "resetchannels", "&chat:user:*", "+@all")
        let subscription = RedisSubscription(
            configuration: try BusHarness.configuration(url), eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: BusHarness.quiet, onMessages: { _ in }, onStateChange: { _ in })
        let channels = RoomChannels(
            subscription: subscription, retryInterval: .milliseconds(20), logger: BusHarness.quiet)
        try await BusHarness.running(subscription) {
            // Without a connection a room is remembered and not refused.
            try await subscription.subscribe(channels: ["chat:user:1"])
            try await BusHarness.running(channels) {
                await channels.follow(.random())
                #expect(channels.refusedCount == 1)
                _ = try await self.url("limited", "&chat:room:*")
                try await until("it is subscribed") { channels.refusedCount == 0 }
            }
        }
    }

    private func until(_ what: String, _ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !condition() {
            try #require(ContinuousClock.now < deadline, "\(what)")
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
