import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import Logging
import NIOCore
import NIOPosix
import RedisClient

/// `chat bench fanout`: what a delivery costs the WebSocket server, beside a loop that does nothing but `write`.
struct FanoutBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout",
        abstract: "Processor time of the WebSocket server for a delivery, beside a plain write() loop's.",
        discussion: """
            Messages are stored, and their events published together and delivered to every socket; the next go out \
            when all sockets have the last. In turn with that a thread writes as many bytes to as many sockets.
            """)

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 1000

    @Option(help: "Rooms.")
    var rooms = 1

    @Option(help: "Messages under way at once.")
    var inFlight: [Int] = [1, 16]

    @Option(help: "How often each is measured.")
    var rounds = 5

    @Option(help: "Seconds for each measurement.")
    var seconds = 4

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...20_000).contains(sockets), (1...sockets).contains(rooms), (1...100).contains(rounds),
            (1...600).contains(seconds), inFlight.allSatisfy({ (1...256).contains($0) })
        else { throw ValidationError("--sockets 1–20000, --rooms 1–SOCKETS, --in-flight 1–256, --rounds 1–100") }
    }

    func run() async throws {
        let redis = try await LocalRedis.ephemeral()
        let environment: [ServerKind: [String: String]] = [.webSocket: [Settings.redisURL.name: redis.url]]
        let result: Result<CostReport, any Error>
        do {
            result = .success(
                try await BenchStack.run(authMode: .trusted, environmentOfKind: environment) { stack in
                    try await measure(stack, redisURL: redis.url)
                })
        } catch {
            result = .failure(error)
        }
        try await redis.stop()
        let report = try result.get()
        try report.publish(json: json)
        if !report.errors.isEmpty { throw ExitCode.failure }
    }

    private func measure(_ stack: LocalStack, redisURL: String) async throws -> CostReport {
        let server = stack.webSocketServers[0]
        guard let pid = await server.running?.pid else { throw LocalStackError("The WebSocket server is gone") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let names = (0..<rooms).map { "bench-\($0)" }
        let load = FanoutLoad(eventLoop: group.next(), rooms: names)
        Terminal.say("Connecting \(sockets) sockets …")
        try await load.connect(sockets, port: server.port)
        let writeLoop = try await WriteLoop.make(sockets: sockets / rooms, on: group.next())
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: redisURL), eventLoop: group.next(),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let lines = try await withThrowingTaskGroup(of: [CostReport.Line].self) { tasks in
            tasks.addTask {
                try await redis.run()
                return []
            }
            tasks.addTask {
                try await measure(
                    FanoutCost(
                        turns: FanoutTurns(load: load, setup: BenchSetup(stack: stack), redis: redis, rooms: names),
                        writeLoop: writeLoop, pid: pid, seconds: Int64(seconds)))
            }
            defer { tasks.cancelAll() }
            return try await tasks.next() ?? []
        }
        let errors = try await load.errors
        try await writeLoop.close()
        try await group.shutdownGracefully()
        return CostReport(
            title: "fanout: \(sockets) sockets, \(rooms) rooms, \(rounds) rounds", lines: lines, errors: errors)
    }

    private func measure(_ cost: FanoutCost) async throws -> [CostReport.Line] {
        // Not counted: the first turns warm caches up.
        _ = try await cost.measure(inFlight: 1)
        var lines: [CostReport.Line] = []
        for count in inFlight {
            Terminal.say("Measuring with \(count) in flight …")
            var pairs: [(measured: Double, reference: Double)] = []
            for _ in 0..<rounds { pairs.append(try await cost.measure(inFlight: count)) }
            lines.append(.init("\(count) in flight: processor time of a delivery", unit: "µs", pairs: pairs))
        }
        return lines
    }
}
