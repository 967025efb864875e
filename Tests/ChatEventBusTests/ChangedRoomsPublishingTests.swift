import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import NIOPosix
import RedisClient
import Testing

@Suite(.timeLimit(.minutes(1))) struct ChangedRoomsPublishingTests {
    /// Collects the messages about these rooms; other tests use the same Redis.
    private func withMessages(
        about rooms: [RoomID], _ body: (EventPublisher, EventCollector<Set<RoomID>>) async throws -> Void
    ) async throws {
        let configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        let messages = EventCollector<Set<RoomID>>()
        let states = EventCollector<RedisSubscription.State>()
        let subscription = RedisSubscription(
            configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: BusHarness.quiet,
            onMessages: { received in
                for message in received {
                    let changed = ChangedRooms(json: Array(message.payload.readableBytesView))
                    let mine = Set(changed?.roomIDs ?? []).intersection(rooms)
                    if !mine.isEmpty { messages.append(mine) }
                }
            }, onStateChange: { states.append($0) })
        try await whileRunning {
            try await subscription.run()
        } _: {
            try await states.first { $0 == .subscribed }
            try await subscription.subscribe(channels: [ChangedRooms.channel])
            try await BusHarness.withClient(configuration) { redis in
                let publisher = EventPublisher(redis: redis, interval: .seconds(3_600), logger: BusHarness.quiet)
                try await body(publisher, messages)
            }
        }
    }

    @Test func `the first room is published at once, what comes in the interval as one message`() async throws {
        let rooms = (0..<3).map { _ in RoomID.random() }
        try await withMessages(about: rooms) { publisher, messages in
            try await BusHarness.running(publisher) {
                publisher.publish([event(1, in: rooms[0])])
                let published = try await messages.first(1)
                #expect(published == [[rooms[0]]])
                for seq in Seq(1)...20 { publisher.publish([event(seq, in: rooms[1]), event(seq, in: rooms[2])]) }
            }
            // The end of the service is the end of the interval.
            #expect(try await messages.first(2) == [[rooms[0]], [rooms[1], rooms[2]]])
        }
    }

    @Test func `a new room without events or members is published, too`() async throws {
        let roomID = RoomID.random()
        try await withMessages(about: [roomID]) { publisher, messages in
            try await BusHarness.running(publisher) {
                publisher.note(newRooms: [roomID])
                let published = try await messages.first(1)
                #expect(published == [[roomID]])
            }
        }
    }

    @Test func `a new room has no event, its members say that it is there`() async throws {
        let rooms = (0..<2).map { _ in RoomID.random() }
        func change(_ roomID: RoomID, _ kind: UserChange.Kind) -> UserChange {
            UserChange(userID: UserID(.random(in: 1...UserID.largest)), version: 1, roomID: roomID, kind: kind, seq: 0)
        }
        try await withMessages(about: rooms) { publisher, messages in
            publisher.publish([change(rooms[0], .read), change(rooms[1], .roomAdded)])
            try await BusHarness.running(publisher) {
                let published = try await messages.first(1)
                #expect(published == [[rooms[1]]])
            }
        }
    }

    @Test func `a thousand rooms fit into a message, more are published in several`() async throws {
        let rooms = (0..<ChangedRooms.maximumCount + 1).map { _ in RoomID.random() }
        try await withMessages(about: rooms) { publisher, messages in
            publisher.publish(rooms.map { event(1, in: $0) })
            try await BusHarness.running(publisher) {
                let published = try await messages.first(2)
                #expect(published.map(\.count).max() == ChangedRooms.maximumCount)
                #expect(published[0].union(published[1]) == Set(rooms))
            }
        }
    }
}
