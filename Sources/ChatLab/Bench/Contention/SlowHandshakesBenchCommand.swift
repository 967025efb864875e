import ArgumentParser
import ChatLocalStack
import CommonUtil
import NIOCore

/// `chat-lab bench slow-handshakes`: connections that never finish a request's head ("slowloris").
struct SlowHandshakesBenchCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "slow-handshakes",
        abstract: "Keeps slow connections to each server in turn, and compares the p99s of other clients.")

    @Option(help: "Slow connections, made again as they are dropped.")
    var connections = 2_000

    @Option(help: "Seconds for which they are kept up.")
    var seconds = 60

    @Option(help: "Requests a second of the other clients.")
    var rate = 200

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...20_000).contains(connections), (1...3_600).contains(seconds), (1...10_000).contains(rate) else {
            throw ValidationError("--connections 1–20000, --seconds 1–3600, --rate 1–10000")
        }
    }

    func measure() async throws -> BenchReport {
        let (connections, seconds, rate) = (connections, seconds, rate)
        return try await BenchStack.run(authMode: .trusted) { stack in
            let live = ByteBuffer(string: "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            let post = PostCall(caller: .userID(1)).bytes(room: "slow", clientMessageID: nil)
            let targets = [
                ("the system server", stack.systemServer.port, live),
                ("the message server", stack.messageServers[0].port, post),
                ("the WebSocket server", stack.webSocketServers[0].port, live),
            ]
            var report = BenchReport(
                title: "slow-handshakes: \(connections) for \(seconds) s, beside \(rate) requests/s", lines: [])
            for (name, port, request) in targets {
                Terminal.print("Without and with \(connections) slow connections to \(name) …")
                let steady = SteadyRequests(port: port, request: request, rate: rate)
                _ = try await steady.run(seconds: 2)
                let quiet = try await steady.run(seconds: min(15, seconds))
                let slow = SlowConnections(port: port, count: connections)
                try await slow.start()
                let busy = try await steady.run(seconds: seconds)
                let outcome = try await slow.stop()
                var comparison = LatencyComparison()
                comparison.add(quiet: quiet, busy: busy)
                report.lines.append(comparison.line("requests to \(name)"))
                report.errors.merge(comparison.errors("requests to \(name)"), uniquingKeysWith: +)
                if !outcome.isGood { report.errors["\(name) did not drop them in time"] = 1 }
                report.notes.append("\(name): \(outcome.text)")
            }
            return report
        }
    }
}
