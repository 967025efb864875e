import ChatLocalStack
import CommonUtil
import Logging
import NIOCore
import NIOPosix
import RedisClient

/// A stack whose WebSocket server hears Redis from the bench alone, and rooms full of sockets there.
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
        Terminal.say("Connecting \(sockets) sockets …")
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
