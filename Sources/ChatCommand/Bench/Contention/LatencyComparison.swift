import Foundation

/// Latencies of the same requests on a quiet and on a busy server.
struct LatencyComparison {
    let quiet: SteadyRequests.Outcome
    let busy: SteadyRequests.Outcome

    /// How many times as long the p99 is.
    var ratio: Double { Double(busy.latency.value(at: 0.99)) / Double(max(1, quiet.latency.value(at: 0.99))) }

    var isWithinTwice: Bool { ratio <= 2 && quiet.errors == 0 && busy.errors == 0 }

    var text: String {
        func line(_ name: String, _ outcome: SteadyRequests.Outcome) -> String {
            let latency = BenchReport.Latency(outcome.latency)
            return String(
                format: "  %@ p50 %.2f ms  p90 %.2f ms  p99 %.2f ms  max %.2f ms  (%d requests, %d errors)", name,
                latency.p50, latency.p90, latency.p99, latency.max, Int(outcome.latency.count), outcome.errors)
        }
        return [line("quiet   ", quiet), line("busy    ", busy), String(format: "  p99      × %.2f", ratio)]
            .joined(separator: "\n")
    }
}
