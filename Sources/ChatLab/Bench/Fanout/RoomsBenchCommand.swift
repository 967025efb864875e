import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat-lab bench rooms`: many rooms with a few sockets each, with messages in all of them.
struct RoomsBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "rooms",
        abstract:
            "Many small rooms at a fixed rate: processor time of a delivery, time from PUBLISH and from the post.",
        discussion: """
            The message server's way to Redis leads through a tap in this process, which notes when the PUBLISH of each \
            stored event goes by. In turn with that a thread writes as many bytes to as many sockets as a room has.
            """)

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 10_000

    @Option(help: "Rooms.")
    var rooms = 1000

    @Option(help: "Messages a second, all rooms together.")
    var rate = 2000

    @Option(help: "Seconds that are measured, after 2 that are not.")
    var seconds = 10

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...60_000).contains(sockets), (1...sockets).contains(rooms), (1...20_000).contains(rate),
            (1...3600).contains(seconds)
        else { throw ValidationError("--sockets 1–60000, --rooms 1–SOCKETS, --rate 1–20000, --seconds 1–3600") }
    }

    func measure() async throws -> BenchReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let load = FanoutLoad(eventLoop: group.next(), rooms: (0..<rooms).map { "bench-\($0)" })
        let redisPort = try FreePort.next()
        let tap = try await FaultProxy.start(to: redisPort, on: group.next(), tap: load.watch)
        let report = try await BenchStack.run(authMode: .trusted) {
            $0.redisPort = redisPort
            $0.environmentOfKind[.message] = [Settings.redisURL.name: "redis://127.0.0.1:\(tap.port)"]
        } body: { stack in
            try await measure(stack, load, on: group.next())
        }
        try await tap.stop()
        try await group.shutdownGracefully()
        return report
    }

    private func measure(_ stack: LocalStack, _ load: FanoutLoad, on eventLoop: any EventLoop) async throws
        -> BenchReport
    {
        Terminal.print("Connecting \(sockets) sockets …")
        try await load.connect(sockets, port: stack.webSocketServers[0].port)
        try await load.openPosters(port: stack.messageServers[0].port)
        let writeLoop = try await WriteLoop.make(sockets: sockets / rooms, on: eventLoop)
        let posting = PostedRounds(load: load, stack: stack, rate: rate, seconds: seconds)
        var rounds: [PostedRounds.Round] = []
        var writes: [WriteLoop.Cost] = []
        for round in 1...options.rounds {
            Terminal.print("Posting, round \(round) …")
            rounds.append(try await posting.run())
            writes.append(try await writeLoop.run(bytes: try await load.frameBytes, for: .seconds(2)))
        }
        try await writeLoop.close()
        var report = rounds.report(
            "rooms: \(sockets) sockets, \(rooms) rooms, \(rate) messages/s, \(options.rounds) rounds",
            [
                .init(
                    "processor time of a delivery", unit: "µs",
                    rounds.map { $0.webSocketServer / Double(max(1, $0.outcome.delivered)) * 1e6 },
                    beside: WriteLoop.name, writes.map { $0.processorSeconds * 1e6 }),
                .init("PUBLISH to each socket, p50", unit: "ms", rounds.milliseconds(0.5, \.fromPublish)),
                .init("PUBLISH to each socket, p99", unit: "ms", rounds.milliseconds(0.99, \.fromPublish)),
                .init("post to each socket, p50", unit: "ms", rounds.milliseconds(0.5, \.fromPost)),
                .init("post to each socket, p99", unit: "ms", rounds.milliseconds(0.99, \.fromPost)),
            ], errors: try await load.errors)
        let unseen = rounds.reduce(0) { $0 + Int($1.outcome.fromPost.count - $1.outcome.fromPublish.count) }
        if unseen > 0 { report.errors["delivery whose PUBLISH was not seen"] = unseen }
        return report
    }
}
