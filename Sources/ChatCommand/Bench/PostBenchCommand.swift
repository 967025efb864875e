import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// `chat bench post`: clients that post as fast as they are answered.
struct PostBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "post",
        abstract: "Posts from keep-alive HTTP clients, beside pgbench; every accepted post is looked for in the log.")

    @Option(help: "Connections, each with one post under way.")
    var clients = 64

    @Option(help: "Seconds that are measured, after 2 that are not.")
    var seconds = 10

    @Option(help: "Rooms that are posted to.")
    var rooms = 8

    @Flag(help: "In token mode: one user who has logged in, instead of trusted mode.")
    var token = false

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...10_000).contains(clients), (1...3600).contains(seconds), (1...10_000).contains(rooms) else {
            throw ValidationError("--clients 1–10000, --seconds 1–3600, --rooms 1–10000")
        }
    }

    func run() async throws {
        let (clients, seconds, rooms, token) = (clients, seconds, rooms, token)
        let report = try await BenchStack.run(authMode: token ? .token : .trusted) { stack in
            let setup = BenchSetup(stack: stack)
            let account = token ? try await setup.logIn() : nil
            var roomIDs = (0..<rooms).map { "bench-\($0)" }
            if let account { roomIDs = try await setup.makeRooms(rooms, token: account) }

            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let start = NIODeadline.now()
            let measured = start + .seconds(2)..<start + .seconds(2 + Int64(seconds))
            let runID = String(UInt32.random(in: 0...UInt32.max), radix: 36)
            let eventLoop = group.next()
            let port = stack.messageServers[0].port
            Terminal.say("Posting …")
            let outcomes = try await withThrowingTaskGroup(of: PostLoad.Outcome.self) { tasks in
                for client in 0..<clients {
                    let caller = account.map { PostRequest.Caller.token($0) } ?? .userID(client + 1)
                    let room = roomIDs[client % roomIDs.count]
                    tasks.addTask {
                        try await PostLoad.run(
                            port: port, on: eventLoop, caller: caller, room: room, prefix: "\(runID)-\(client)-",
                            measured: measured)
                    }
                }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            try await group.shutdownGracefully()
            Terminal.say("Measuring what PostgreSQL stores without us …")
            let rows = try await InsertReference.measure(stack.postgres, seconds: min(seconds, 10))

            Terminal.say("Looking for them in the log …")
            var logged = Set<String>()
            var gaps = 0
            let caller = account.map { PostRequest.Caller.token($0) } ?? .userID(1)
            for room in Set(roomIDs) {
                let log = try await setup.log(of: room, caller: caller)
                gaps += log.gaps
                logged.formUnion(log.clientMessageIDs)
            }
            let accepted = outcomes.flatMap(\.accepted)
            let lost = accepted.filter { !logged.contains($0) }.count
            var histogram = LatencyHistogram()
            var errors: [String: Int] = [:]
            for outcome in outcomes {
                histogram.merge(outcome.latency)
                errors.merge(outcome.errors, uniquingKeysWith: +)
            }
            if gaps > 0 { errors["gap in a room's seq"] = gaps }
            let count = Int(histogram.count)
            let ratio = Double(count) / Double(seconds) / rows
            return BenchReport(
                title: "post: \(clients) clients, \(rooms) rooms, \(token ? "token" : "trusted") mode, durable",
                unit: "accepted posts", count: count, seconds: Double(seconds),
                ratePerSecond: Double(count) / Double(seconds), latencyMilliseconds: .init(histogram), losses: lost,
                duplicates: 0, errors: errors,
                notes: [
                    "log      \(accepted.count - lost) of \(accepted.count) accepted posts found, with the warm-up's",
                    String(
                        format: "ratio    %.2f × pgbench's %.0f rows/s, one row a transaction, %d clients", ratio, rows,
                        InsertReference.clients),
                ])
        }
        try report.publish(json: json)
        if !report.isClean { throw ExitCode.failure }
    }
}
