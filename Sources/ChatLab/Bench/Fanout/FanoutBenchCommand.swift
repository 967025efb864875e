import ArgumentParser
import ChatLocalStack
import Foundation

/// `chat-lab bench fanout`: processor time of a delivery in the WebSocket server, beside a loop that only writes.
struct FanoutBenchCommand: RepeatedBenchmark {
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

    @Option(help: "Seconds for each measurement.")
    var seconds = 4

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...20_000).contains(sockets), (1...sockets).contains(rooms), (1...600).contains(seconds),
            inFlight.allSatisfy({ (1...256).contains($0) })
        else { throw ValidationError("--sockets 1–20000, --rooms 1–SOCKETS, --in-flight 1–256, --seconds 1–600") }
    }

    func measure() async throws -> BenchReport {
        try await FanoutStack.run(sockets: sockets, rooms: rooms) { stack, turns, eventLoop in
            let pid = try await stack.webSocketServers[0].pid
            let writeLoop = try await WriteLoop.make(sockets: sockets / rooms, on: eventLoop)
            let lines = try await measure(
                FanoutCost(turns: turns, writeLoop: writeLoop, pid: pid, seconds: Int64(seconds)))
            try await writeLoop.close()
            return BenchReport(
                title: "fanout: \(sockets) sockets, \(rooms) rooms, \(options.rounds) rounds", lines: lines,
                errors: try await turns.load.errors)
        }
    }

    private func measure(_ cost: FanoutCost) async throws -> [BenchReport.Line] {
        // Not measured: the first turns warm up caches.
        _ = try await cost.measure(inFlight: 1)
        var lines: [BenchReport.Line] = []
        for count in inFlight {
            Terminal.print("Measuring with \(count) in flight …")
            var pairs: [(measured: Double, reference: Double)] = []
            for _ in 0..<options.rounds { pairs.append(try await cost.measure(inFlight: count)) }
            lines.append(
                .init(
                    "\(count) in flight: processor time of a delivery", unit: "µs", pairs.map(\.measured),
                    beside: WriteLoop.name, pairs.map(\.reference)))
        }
        return lines
    }
}

/// One measurement of the cost of a delivery, and of the reference beside it.
struct FanoutCost: Sendable {
    let turns: FanoutTurns
    let writeLoop: WriteLoop
    /// The WebSocket server.
    let pid: pid_t
    let seconds: Int64

    /// - Returns: microseconds of processor time for one frame to one socket. Frames in flight together are written
    ///   together, by the reference, too.
    func measure(inFlight: Int) async throws -> (measured: Double, reference: Double) {
        let before = try ProcessorTime.seconds(ofProcess: pid)
        let (deliveries, bytes) = try await turns.run(inFlight: inFlight, for: .seconds(seconds))
        let used = try ProcessorTime.seconds(ofProcess: pid) - before
        let write = try await writeLoop.run(bytes: bytes * inFlight, for: .seconds(seconds / 2 + 1))
        return (used / Double(max(1, deliveries)) * 1e6, write.processorSeconds / Double(inFlight) * 1e6)
    }
}
