import ChatEvents
import ChatLocalStack
import CommonUtil
import NIOCore
import RedisClient

/// Stores a few messages, publishes their events together, waits until every socket has them all, and begins again.
///
/// The bench publishes itself, on a Redis that only the WebSocket server hears: so the events that are to be under way
/// at once are, whatever batches the message server makes of the posts.
struct FanoutTurns: Sendable {
    let load: FanoutLoad
    let setup: BenchSetup
    let redis: RedisClient
    let rooms: [String]

    /// Turns for so long, the rooms one after the other.
    /// - Returns: how many events were delivered, and their mean size as frames in bytes.
    func run(inFlight: Int, for time: Duration) async throws -> (deliveries: Int, bytes: Int) {
        let end = ContinuousClock.now + time
        var turn = 0
        var deliveries = 0
        while ContinuousClock.now < end {
            deliveries += try await run(inFlight: inFlight, inRoom: turn % rooms.count)
            turn += 1
        }
        return (deliveries, try await load.frameBytes)
    }

    /// One turn.
    /// - Returns: how many events were delivered.
    func run(inFlight: Int, inRoom room: Int) async throws -> Int {
        let head = try await load.head(ofRoom: room)
        try await setup.post(inFlight, to: rooms[room])
        let events = try await setup.events(of: rooms[room], after: head)
        guard let roomID = RoomID(rooms[room]), events.count == inFlight else {
            throw LocalStackError("\(events.count) of \(inFlight) posts are in the log")
        }
        let channel = EventChannel.room(roomID).name
        let published = await redis.publish(events.map { (channel, Array($0.utf8)) })
        for result in published { _ = try result.get() }
        return try await load.deliver(events.count, inRoom: room)
    }
}
