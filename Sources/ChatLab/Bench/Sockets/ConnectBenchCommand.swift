import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat-lab bench connect`: processor time of a connect, and the time for all to reconnect.
struct ConnectBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Processor time of a connect beside a bare NIO server's, and the resume of all sockets at once.")

    @Option(help: "WebSockets, spread evenly over the rooms.")
    var sockets = 10_000

    @Option(help: "Rooms.")
    var rooms = 1000

    @Option(help: "Messages that each room has for sockets that come back.")
    var missed = 20

    @Flag(help: "In token mode: one user who has logged in, instead of trusted mode.")
    var token = false

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...20_000).contains(sockets), (1...sockets).contains(rooms), (0...100).contains(missed) else {
            throw ValidationError("--sockets 1–20000, --rooms 1–SOCKETS, --missed 0–100")
        }
    }

    func measure() async throws -> BenchReport {
        try await BenchStack.run(authMode: token ? .token : .trusted) { stack in
            let setup = BenchSetup(stack: stack)
            let account = token ? try await setup.logIn() : nil
            let caller = account.map { PostCall.Caller.token($0) } ?? .userID(1)
            var names = (0..<rooms).map { "bench-\($0)" }
            Terminal.print("Making \(rooms) rooms …")
            if let account { names = try await setup.makeRooms(rooms, token: account) }
            for name in names { try await setup.post(1, to: name, as: caller) }

            let bare = try await BareServer.start()
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let burst = SocketBurst(eventLoop: group.next(), sockets: sockets, rooms: names, token: account)
            let server = stack.webSocketServers[0]
            let place = (port: server.port, pid: try await server.pid)
            // The first thousand include what a server allocates only once.
            _ = try await burst.come(to: place, min(1000, sockets))
            _ = try await burst.come(to: (bare.port, bare.pid), min(1000, sockets))
            var rounds: [(ours: SocketBurst.Visit, bare: SocketBurst.Visit)] = []
            var returns: [Double] = []
            for round in 1...options.rounds {
                Terminal.print("Connecting \(sockets) sockets, round \(round) …")
                rounds.append((try await burst.come(to: place), try await burst.come(to: (bare.port, bare.pid))))
                Terminal.print("All come back …")
                for name in names { try await setup.post(missed, to: name, as: caller) }
                returns.append(try await burst.comeBack(to: place, after: 1 + (round - 1) * missed, missed: missed))
            }
            try await group.shutdownGracefully()
            try await bare.stop()
            return BenchReport(
                title: "connect: \(sockets) sockets, \(rooms) rooms, \(token ? "token" : "trusted") mode, "
                    + "\(options.rounds) rounds",
                lines: [
                    .init(
                        "processor time of a connect", unit: "µs", rounds.map(\.ours.microseconds),
                        beside: BareServer.name, rounds.map(\.bare.microseconds)),
                    .init(
                        "time for all to connect, 64 at a time", unit: "s", rounds.map(\.ours.seconds),
                        beside: BareServer.name, rounds.map(\.bare.seconds)),
                    .init("time for all to come back at once, \(missed) events missed", unit: "s", returns),
                ], errors: await burst.errors)
        }
    }
}
