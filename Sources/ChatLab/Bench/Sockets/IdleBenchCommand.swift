import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat-lab bench idle`: resident memory of the WebSocket server for an idle socket.
struct IdleBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract:
            "Resident memory of the WebSocket server for an idle socket with a token, beside a bare NIO server's.",
        discussion: """
            Each round has a server that has just started, since memory that was in use once is not given back. The \
            slope leaves out what a server makes once: it is the growth from a quarter of the sockets to all.
            """)

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 10_000

    @Option(help: "Rooms.")
    var rooms = 1000

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (4...20_000).contains(sockets), (1...sockets).contains(rooms) else {
            throw ValidationError("--sockets 4–20000, --rooms 1–SOCKETS")
        }
    }

    /// After the timers of the handshakes, and before the first pings.
    private static let settling = Duration.seconds(3)

    func measure() async throws -> BenchReport {
        try await BenchStack.run(authMode: .token) { stack in
            let setup = BenchSetup(stack: stack)
            let account = try await setup.logIn()
            Terminal.print("Making \(rooms) rooms …")
            let names = try await setup.makeRooms(rooms, token: account)
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let burst = SocketBurst(eventLoop: group.next(), sockets: sockets, rooms: names, token: account)
            let server = stack.webSocketServers[0]
            var ours: [(none: Int, quarter: Int, all: Int)] = []
            var bares: [(none: Int, quarter: Int, all: Int)] = []
            for round in 1...options.rounds {
                Terminal.print("Connecting \(sockets) sockets, round \(round) …")
                try await server.stop()
                try await server.start()
                ours.append(try await burst.idle(at: (server.port, try await server.pid), settling: Self.settling))
                let bare = try await BareServer.start()
                bares.append(try await burst.idle(at: (bare.port, bare.pid), settling: Self.settling))
                try await bare.stop()
            }
            try await group.shutdownGracefully()
            return report(ours, bares, errors: await burst.errors)
        }
    }

    private func report(
        _ ours: [(none: Int, quarter: Int, all: Int)], _ bares: [(none: Int, quarter: Int, all: Int)],
        errors: [String: Int]
    ) -> BenchReport {
        func kilobytes(_ kibibytes: Int, _ count: Int) -> Double { Double(kibibytes) * 1.024 / Double(count) }
        func whole(_ rounds: [(none: Int, quarter: Int, all: Int)]) -> [Double] {
            rounds.map { kilobytes($0.all - $0.none, sockets) }
        }
        func slope(_ rounds: [(none: Int, quarter: Int, all: Int)]) -> [Double] {
            rounds.map { kilobytes($0.all - $0.quarter, sockets - sockets / 4) }
        }
        return BenchReport(
            title: "idle: \(sockets) sockets, \(rooms) rooms, token mode, \(options.rounds) rounds",
            lines: [
                .init(
                    "memory of an idle socket", unit: "KB", whole(ours), beside: BareServer.name, whole(bares)),
                .init(
                    "of a further one, from \(sockets / 4) to \(sockets)", unit: "KB", slope(ours),
                    beside: BareServer.name, slope(bares)),
                .init("resident without sockets", unit: "MB", ours.map { kilobytes($0.none, 1000) }),
                .init("resident with \(sockets)", unit: "MB", ours.map { kilobytes($0.all, 1000) }),
            ], errors: errors)
    }
}
