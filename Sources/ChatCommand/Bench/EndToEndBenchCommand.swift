import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat bench endtoend`: many sockets, each of which must get every message, once and in order.
struct EndToEndBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endtoend",
        abstract: "Posts at a fixed rate into rooms full of WebSockets; each checks what it gets.")

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 1000

    @Option(help: "Rooms.")
    var rooms = 1

    @Option(help: "Messages a second in each room.")
    var rate = 20

    @Option(help: "Seconds that are measured, after 2 that are not.")
    var seconds = 20

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...60_000).contains(sockets), (1...sockets).contains(rooms), (1...10_000).contains(rate),
            (1...3600).contains(seconds)
        else { throw ValidationError("--sockets 1–60000, --rooms 1–SOCKETS, --rate 1–10000, --seconds 1–3600") }
    }

    func run() async throws {
        let (sockets, rooms, rate, seconds) = (sockets, rooms, rate, seconds)
        let report = try await BenchStack.run(authMode: .trusted) { stack in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let load = FanoutLoad(eventLoop: group.next(), rooms: (0..<rooms).map { "bench-\($0)" })
            Terminal.say("Connecting \(sockets) sockets …")
            try await load.connect(sockets, port: stack.webSocketServers[0].port)
            Terminal.say("Posting …")
            let outcome = try await load.post(
                port: stack.messageServers[0].port, ratePerRoom: rate, warmUp: .seconds(2),
                measured: .seconds(Int64(seconds)))
            try await group.shutdownGracefully()
            return BenchReport(
                title: "endtoend: \(sockets) sockets, \(rooms) rooms, \(rate) messages/s each, durable",
                unit: "deliveries", count: Int(outcome.latency.count), seconds: Double(seconds),
                ratePerSecond: Double(outcome.latency.count) / Double(seconds),
                latencyMilliseconds: .init(outcome.latency), losses: outcome.losses, duplicates: outcome.duplicates,
                errors: outcome.errors,
                notes: ["posts    \(outcome.accepted) accepted, \(outcome.delivered) deliveries (warm-up included)"])
        }
        try report.publish(json: json)
        if !report.isClean { throw ExitCode.failure }
    }
}
