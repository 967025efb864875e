import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat bench fanout`: what a delivery costs the WebSocket server, beside a loop that does nothing but `write`.
struct FanoutBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout",
        abstract: "Processor time of the WebSocket server for a delivery, beside a plain write() loop's.",
        discussion: """
            Messages are posted, stored, published and delivered to every socket; the next go out when all sockets have \
            the last. In turn with that a thread writes frames of the same size to as many sockets.
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
        let (sockets, rooms, inFlight, rounds, seconds) = (sockets, rooms, inFlight, rounds, seconds)
        let report = try await BenchStack.run(authMode: .trusted) { stack in
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let load = FanoutLoad(eventLoop: group.next(), rooms: (0..<rooms).map { "bench-\($0)" })
            Terminal.say("Connecting \(sockets) sockets …")
            let server = stack.webSocketServers[0]
            guard let pid = await server.running?.pid else { throw LocalStackError("The WebSocket server is gone") }
            try await load.connect(sockets, port: server.port)
            let writeLoop = try await WriteLoop.make(sockets: sockets / rooms, on: group.next())
            let cost = FanoutCost(
                load: load, writeLoop: writeLoop, pid: pid, port: stack.messageServers[0].port,
                seconds: Int64(seconds))
            _ = try await cost.measure(inFlight: 1)
            var lines: [CostReport.Line] = []
            for count in inFlight {
                Terminal.say("Measuring with \(count) in flight …")
                var pairs: [(measured: Double, reference: Double)] = []
                for _ in 0..<rounds { pairs.append(try await cost.measure(inFlight: count)) }
                lines.append(.init("\(count) in flight: processor time of a delivery", unit: "µs", pairs: pairs))
            }
            let errors = try await load.errors
            try await writeLoop.close()
            try await group.shutdownGracefully()
            return CostReport(
                title: "fanout: \(sockets) sockets, \(rooms) rooms, \(rounds) rounds", lines: lines, errors: errors)
        }
        try report.publish(json: json)
        if !report.errors.isEmpty { throw ExitCode.failure }
    }
}
