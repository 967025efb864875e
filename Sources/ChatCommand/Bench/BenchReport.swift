import Foundation

/// What a bench found, for the eye and as JSON.
struct BenchReport: Codable, Equatable {
    struct Latency: Codable, Equatable {
        var p50: Double
        var p90: Double
        var p99: Double
        var max: Double

        init(_ histogram: LatencyHistogram) {
            func milliseconds(_ nanoseconds: UInt64) -> Double { (Double(nanoseconds) / 1000).rounded() / 1000 }
            p50 = milliseconds(histogram.value(at: 0.5))
            p90 = milliseconds(histogram.value(at: 0.9))
            p99 = milliseconds(histogram.value(at: 0.99))
            max = milliseconds(histogram.maximum)
        }
    }

    /// What was done, e.g. "post: 64 clients, 8 rooms, 10 s".
    var title: String
    /// What is counted, e.g. "posts".
    var unit: String
    var count: Int
    var seconds: Double
    var ratePerSecond: Double
    var latencyMilliseconds: Latency
    var losses: Int
    var duplicates: Int
    var errors: [String: Int]
    var notes: [String]

    var isClean: Bool { losses == 0 && duplicates == 0 && errors.isEmpty }

    var text: String {
        func number(_ value: Double, _ digits: Int = 2) -> String { String(format: "%.\(digits)f", value) }
        let errorText = errors.sorted { $0.key < $1.key }.map { "\($1) × \($0)" }.joined(separator: ", ")
        let latency = latencyMilliseconds
        let lines = [
            "chat bench \(title)",
            "  rate     \(number(ratePerSecond, 0)) \(unit)/s (\(count) in \(number(seconds, 1)) s)",
            "  latency  p50 \(number(latency.p50)) ms  p90 \(number(latency.p90)) ms  p99 \(number(latency.p99)) ms  "
                + "max \(number(latency.max)) ms",
            "  losses   \(losses), duplicates \(duplicates)",
            "  errors   \(errorText.isEmpty ? "none" : errorText)",
        ]
        return (lines + notes.map { "  \($0)" }).joined(separator: "\n")
    }

    /// Prints it and, if a file is named, writes it there as JSON.
    func publish(json file: String?) throws {
        Terminal.say(text)
        try ReportFile.write(self, to: file)
    }
}
