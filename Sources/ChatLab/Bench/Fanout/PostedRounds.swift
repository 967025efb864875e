import ChatLocalStack
import Foundation
import NIOCore

/// Posts at a fixed rate into rooms full of sockets, several times, with the outcome of each round.
struct PostedRounds: Sendable {
    let load: FanoutLoad
    let stack: LocalStack
    /// Messages a second, all rooms together.
    let rate: Int
    let seconds: Int
    /// Time before the measured one.
    var warmUp = TimeAmount.seconds(2)

    struct Round: Sendable {
        var outcome: FanoutLoad.Outcome
        /// Processor time in seconds.
        var webSocketServer: Double
        var messageServer: Double
        var bench: Double
        /// Wall-clock time in seconds, including the warm-up and the wait for the last deliveries.
        var seconds: Double
    }

    func run() async throws -> Round {
        let webSocketServer = try await stack.webSocketServers[0].pid
        let messageServer = try await stack.messageServers[0].pid
        func used() throws -> (Double, Double, Double) {
            (
                try ProcessorTime.seconds(ofProcess: webSocketServer),
                try ProcessorTime.seconds(ofProcess: messageServer), try ProcessorTime.seconds(ofProcess: getpid())
            )
        }
        let before = try used()
        let begin = ContinuousClock.now
        let outcome = try await load.post(rate: rate, warmUp: warmUp, measured: .seconds(Int64(seconds)))
        let time = (ContinuousClock.now - begin) / .seconds(1)
        let after = try used()
        return Round(
            outcome: outcome, webSocketServer: after.0 - before.0, messageServer: after.1 - before.1,
            bench: after.2 - before.2, seconds: time)
    }
}

extension [PostedRounds.Round] {
    /// A quantile of each round in milliseconds.
    func milliseconds(_ quantile: Double, _ histogram: KeyPath<FanoutLoad.Outcome, LatencyHistogram>) -> [Double] {
        map { Double($0.outcome[keyPath: histogram].value(at: quantile)) / 1e6 }
    }

    /// The share of one core that a process used, median of the rounds.
    func share(_ processorTime: KeyPath<PostedRounds.Round, Double>) -> String {
        String(format: "%.0f %%", Spread(map { $0[keyPath: processorTime] / $0.seconds }).median * 100)
    }

    /// The lines that all benches of posts and sockets report: processor time and losses.
    func report(_ title: String, _ lines: [BenchReport.Line], errors: [String: Int]) -> BenchReport {
        let accepted = reduce(0) { $0 + $1.outcome.accepted }
        let delivered = reduce(0) { $0 + $1.outcome.delivered }
        return BenchReport(
            title: title, lines: lines, losses: reduce(0) { $0 + $1.outcome.losses },
            duplicates: reduce(0) { $0 + $1.outcome.duplicates }, errors: errors,
            notes: [
                "\(accepted) posts accepted, \(delivered) deliveries, warm-ups included",
                "of one core: WebSocket server \(share(\.webSocketServer)), message server \(share(\.messageServer)), "
                    + "the bench's own client \(share(\.bench))",
            ])
    }
}
