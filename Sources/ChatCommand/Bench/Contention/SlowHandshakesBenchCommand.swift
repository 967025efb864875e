import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore

/// `chat bench slow-handshakes`: connections that never finish a request's head ("slowloris").
struct SlowHandshakesBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow-handshakes",
        abstract: "Keeps slow connections to each server, and compares the p99s of other clients before and meanwhile.")

    @Option(help: "Slow connections to each server, made anew as they are dropped.")
    var connections = 2_000

    @Option(help: "Seconds for which they are kept up.")
    var seconds = 60

    @Option(help: "Requests a second of the other clients, to each server.")
    var rate = 200

    func validate() throws {
        guard (1...20_000).contains(connections), (1...3_600).contains(seconds), (1...10_000).contains(rate) else {
            throw ValidationError("--connections 1–20000, --seconds 1–3600, --rate 1–10000")
        }
    }

    func run() async throws {
        let (connections, seconds, rate) = (connections, seconds, rate)
        let results = try await BenchStack.run(authMode: .trusted) { stack in
            let live = ByteBuffer(string: "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            let post = PostRequest(caller: .userID(1)).bytes(room: "slow", clientMessageID: nil)
            let targets = [
                ("system server", stack.systemServer.port, live),
                ("message server", stack.messageServers[0].port, post),
                ("WebSocket server", stack.webSocketServers[0].port, live),
            ]
            Terminal.say("Measuring without them …")
            let steady = targets.map { SteadyRequests(port: $0.1, request: $0.2, rate: rate) }
            _ = try await Self.measure(steady, seconds: 2)
            let quiet = try await Self.measure(steady, seconds: min(15, seconds))
            Terminal.say("\(connections) slow connections to each server …")
            let slow = targets.map { SlowConnections(port: $0.1, count: connections) }
            for one in slow { try await one.start() }
            let busy = try await Self.measure(steady, seconds: seconds)
            var results: [(name: String, comparison: LatencyComparison, slow: SlowConnections.Outcome)] = []
            for (index, target) in targets.enumerated() {
                results.append(
                    (target.0, LatencyComparison(quiet: quiet[index], busy: busy[index]), try await slow[index].stop()))
            }
            return results
        }
        var isGood = true
        Terminal.say("chat bench slow-handshakes: \(connections) to each server, \(rate) requests/s, \(seconds) s")
        for (name, comparison, slow) in results {
            Terminal.say("\(name)\n\(comparison.text)\n  \(slow.text)")
            isGood = isGood && comparison.isWithinTwice && slow.isGood
        }
        if !isGood { throw ExitCode.failure }
    }

    /// All at once.
    private static func measure(_ steady: [SteadyRequests], seconds: Int) async throws -> [SteadyRequests.Outcome] {
        try await withThrowingTaskGroup(of: (Int, SteadyRequests.Outcome).self) { group in
            for (index, requests) in steady.enumerated() {
                group.addTask { (index, try await requests.run(seconds: seconds)) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }.sorted { $0.key < $1.key }.map(\.value)
        }
    }
}
