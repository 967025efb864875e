import ChatEvents
import ChatLocalStack
import CommonUtil
import Logging
import NIOCore
import NIOPosix
import RedisClient

/// A stack with sockets in rooms, whose WebSocket server has a Redis of its own to which only the bench publishes.
enum FanoutStack {
    /// Starts it, connects the sockets, runs `body` and stops it.
    static func run<Result: Sendable>(
        sockets: Int, rooms: Int, configure: @escaping @Sendable (inout LocalStack.Configuration) -> Void = { _ in },
        body: @escaping @Sendable (LocalStack, FanoutTurns, any EventLoop) async throws -> Result
    ) async throws -> Result {
        let redis = try await LocalRedis.ephemeral(logger: .silent)
        do {
            let result = try await BenchStack.run(authMode: .trusted) {
                configure(&$0)
                $0.environmentOfKind[.webSocket, default: [:]][Settings.redisURL.name] = redis.url
            } body: { stack in
                try await run(on: stack, redisURL: redis.url, sockets: sockets, rooms: rooms, body: body)
            }
            try await redis.stop()
            return result
        } catch {
            await Task { try? await redis.stop() }.value
            throw error
        }
    }

    private static func run<Result: Sendable>(
        on stack: LocalStack, redisURL: String, sockets: Int, rooms: Int,
        body: @escaping @Sendable (LocalStack, FanoutTurns, any EventLoop) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let names = (0..<rooms).map { "bench-\($0)" }
        let load = FanoutLoad(eventLoop: eventLoop, rooms: names)
        Terminal.print("Connecting \(sockets) sockets …")
        try await load.connect(sockets, port: stack.webSocketServers[0].port)
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: redisURL), eventLoop: eventLoop, logger: .silent)
        let turns = FanoutTurns(load: load, setup: BenchSetup(stack: stack), redis: redis, rooms: names)
        let result = try await withThrowingTaskGroup(of: Result?.self) { tasks in
            tasks.addTask {
                try await redis.run()
                return nil
            }
            tasks.addTask { try await body(stack, turns, eventLoop) }
            defer { tasks.cancelAll() }
            while let ended = try await tasks.next() {
                if let result = ended { return result }
            }
            throw CancellationError()
        }
        try await group.shutdownGracefully()
        return result
    }
}

/// Stores a few messages, publishes their events together, waits until every socket has all of them, and starts over.
///
/// The bench publishes the events itself, on a Redis to which only the WebSocket server is subscribed, so the number of
/// events under way does not depend on the batches of the message server.
struct FanoutTurns: Sendable {
    let load: FanoutLoad
    let setup: BenchSetup
    let redis: RedisClient
    let rooms: [String]

    /// Takes turns until the time is over, the rooms one after the other.
    /// - Returns: the number of delivered events, and their size as frames in bytes.
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
    /// - Returns: the number of delivered events.
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
