import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat-lab bench endtoend`: many sockets, each of which must get every message, once and in order.
struct EndToEndBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "endtoend",
        abstract:
            "Time from a post, at a fixed rate, until the last socket of its room has it; each checks what it gets.",
        discussion: """
            The reference is what that takes at the least: one durable row by one client of pgbench, and a write() to as \
            many sockets as a room has, until the last one is read.
            """)

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 1000

    @Option(help: "Rooms.")
    var rooms = 1

    @Option(help: "Messages a second in each room.")
    var rate = 20

    @Option(help: "Seconds that are measured, after 2 that are not.")
    var seconds = 10

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...60_000).contains(sockets), (1...sockets).contains(rooms), (1...10_000).contains(rate),
            (1...3600).contains(seconds)
        else { throw ValidationError("--sockets 1–60000, --rooms 1–SOCKETS, --rate 1–10000, --seconds 1–3600") }
    }

    func measure() async throws -> BenchReport {
        try await BenchStack.run(authMode: .trusted) { stack in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let load = FanoutLoad(eventLoop: group.next(), rooms: (0..<rooms).map { "bench-\($0)" })
            Terminal.print("Connecting \(sockets) sockets …")
            try await load.connect(sockets, port: stack.webSocketServers[0].port)
            try await load.openPosters(port: stack.messageServers[0].port)
            let writeLoop = try await WriteLoop.make(sockets: sockets / rooms, on: group.next())
            let posting = PostedRounds(load: load, stack: stack, rate: rate * rooms, seconds: seconds)
            var rounds: [PostedRounds.Round] = []
            var floors: [Double] = []
            for round in 1...options.rounds {
                Terminal.print("Posting, round \(round) …")
                rounds.append(try await posting.run())
                let rows = try await InsertReference.alone.measure(stack.postgres, seconds: 2)
                let write = try await writeLoop.run(bytes: try await load.frameBytes, for: .seconds(1))
                floors.append((1 / rows + write.lastSocketSeconds) * 1000)
            }
            let errors = try await load.errors
            try await writeLoop.close()
            try await group.shutdownGracefully()
            return rounds.report(
                "endtoend: \(sockets) sockets, \(rooms) rooms, \(rate) messages/s each, \(options.rounds) rounds",
                [
                    .init(
                        "post to last socket, p50", unit: "ms", rounds.milliseconds(0.5, \.toLastSocket),
                        beside: "one row by pgbench and \(WriteLoop.name), mean", floors),
                    .init("post to last socket, p99", unit: "ms", rounds.milliseconds(0.99, \.toLastSocket)),
                    .init("post to each socket, p50", unit: "ms", rounds.milliseconds(0.5, \.fromPost)),
                    .init("post to each socket, p99", unit: "ms", rounds.milliseconds(0.99, \.fromPost)),
                ], errors: errors)
        }
    }
}
