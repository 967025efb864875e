import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore

/// `chat-lab bench post`: clients that post as fast as they are answered.
struct PostBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "post",
        abstract: "Posts from keep-alive HTTP clients, beside pgbench; every accepted post is looked for in the log.")

    @OptionGroup var load: PostOptions

    @Flag(help: "In token mode: one user who has logged in, instead of trusted mode.")
    var token = false

    @OptionGroup var options: BenchOptions

    func measure() async throws -> BenchReport {
        let (clients, seconds, rooms) = (load.clients, load.seconds, load.rooms)
        return try await BenchStack.run(authMode: token ? .token : .trusted) { stack in
            let setup = BenchSetup(stack: stack)
            let account = token ? try await setup.logIn() : nil
            var roomIDs = (0..<rooms).map { "bench-\($0)" }
            if let account { roomIDs = try await setup.makeRooms(rooms, token: account) }
            let posting = PostRounds(
                port: stack.messageServers[0].port, clients: clients, rooms: roomIDs, token: account, seconds: seconds)

            var outcomes: [PostClients.Outcome] = []
            var (single, multiple) = ([Double](), [Double]())
            for round in 1...options.rounds {
                Terminal.print("Posting, round \(round) …")
                outcomes.append(try await posting.run())
                Terminal.print("Measuring what PostgreSQL stores without us …")
                single.append(try await InsertReference.single.measure(stack.postgres, seconds: min(seconds, 5)))
                multiple.append(try await InsertReference.multiple.measure(stack.postgres, seconds: min(seconds, 5)))
            }
            Terminal.print("Looking for the posts in the log …")
            let caller = account.map { PostCall.Caller.token($0) } ?? .userID(1)
            var logged = Set<String>()
            var gaps = 0
            for room in roomIDs {
                let log = try await setup.log(of: room, caller: caller)
                gaps += log.gaps
                logged.formUnion(log.clientMessageIDs)
            }
            return report(outcomes, single, multiple, logged: logged, gaps: gaps)
        }
    }

    private func report(
        _ outcomes: [PostClients.Outcome], _ single: [Double], _ multiple: [Double], logged: Set<String>, gaps: Int
    ) -> BenchReport {
        let rates = outcomes.map { Double($0.latency.count) / Double(load.seconds) }
        func milliseconds(_ quantile: Double) -> [Double] {
            outcomes.map { Double($0.latency.value(at: quantile)) / 1e6 }
        }
        let accepted = outcomes.flatMap(\.accepted)
        let lost = accepted.count { !logged.contains($0) }
        var errors = outcomes.reduce(into: [:]) { $0.merge($1.errors, uniquingKeysWith: +) }
        if gaps > 0 { errors["gap in a room's seq"] = gaps }
        return BenchReport(
            title: "post: \(load.clients) clients, \(load.rooms) rooms, \(token ? "token" : "trusted") mode, "
                + "\(options.rounds) rounds",
            lines: [
                .init("accepted posts", unit: "/s", rates, beside: InsertReference.single.name, single),
                .init(
                    "accepted posts, beside rows stored together", unit: "/s", rates,
                    beside: InsertReference.multiple.name, multiple),
                .init("time of a post, p50", unit: "ms", milliseconds(0.5)),
                .init("time of a post, p99", unit: "ms", milliseconds(0.99)),
            ], losses: lost, errors: errors,
            notes: ["\(accepted.count - lost) of \(accepted.count) accepted posts found in the log, the warm-ups' too"])
    }
}

/// How much is posted, for how long.
struct PostOptions: ParsableArguments {
    @Option(help: "Connections, each with one post under way.")
    var clients = 64

    @Option(help: "Seconds that are measured, after 2 that are not.")
    var seconds = 5

    @Option(help: "Rooms that are posted to.")
    var rooms = 8

    func validate() throws {
        guard (1...10_000).contains(clients), (1...3600).contains(seconds), (1...10_000).contains(rooms) else {
            throw ValidationError("--clients 1–10000, --seconds 1–3600, --rooms 1–10000")
        }
    }
}

/// Clients that post as fast as they are answered, for some seconds, several times.
struct PostRounds: Sendable {
    let port: Int
    let clients: Int
    let rooms: [String]
    /// The access token of the one user that all clients are; nil for a user each, in `trusted` mode.
    let token: String?
    let seconds: Int

    /// - Returns: the outcome of all clients together.
    func run() async throws -> PostClients.Outcome {
        let runID = String(UInt32.random(in: 0...UInt32.max), radix: 36)
        let clients = (0..<clients).map { client in
            PostClients.Client(
                caller: token.map { .token($0) } ?? .userID(client + 1), room: rooms[client % rooms.count],
                prefix: "\(runID)-\(client)-")
        }
        let start = NIODeadline.now() + .seconds(2)
        return try await PostClients(port: port, clients: clients).run(
            measured: start..<start + .seconds(Int64(seconds)))
    }
}
