import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOPosix
import RedisClient
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct RedisRoomHintsTests {
    @Test func `hints come while they are wanted, and not longer`() async throws {
        let configuration = try RedisConfiguration(url: try await SharedEngines.redisURL)
        let group = MultiThreadedEventLoopGroup.singleton
        let (rooms, changes) = (EventCollector<RoomID>(), EventCollector<Bool>())
        let hints = RedisRoomHints(
            configuration: configuration, eventLoop: group.next(), logger: ChangeFixture.quiet,
            onRooms: { rooms.append(contentsOf: $0) }, onChange: { changes.append($0) })
        let redis = RedisPublisher(port: configuration.port)
        let (wanted, unwanted) = (RoomID.random(), RoomID.random())
        func publish(_ roomID: RoomID) async throws -> Int {
            try await redis.publish(ChangedRooms.channel, ChangedRooms([roomID]).jsonBytes)
        }
        try await ChangeFixture.running([hints]) {
            hints.setWanted(true)
            #expect(try await changes.first(1) == [true])
            try await redis.publish(ChangedRooms.channel, Array("no JSON".utf8))
            #expect(try await publish(wanted) > 0)
            try await rooms.first { $0 == wanted }

            hints.setWanted(false)
            #expect(try await changes.first(2) == [true, false])
            _ = try await publish(unwanted)
            hints.setWanted(true)
            #expect(try await changes.first(3) == [true, false, true])
            _ = try await publish(wanted)
            try await rooms.events { rooms in rooms.count { $0 == wanted } == 2 }
            #expect(!rooms.all.contains(unwanted))
        }
    }
}
