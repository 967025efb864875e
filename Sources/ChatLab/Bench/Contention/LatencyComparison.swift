/// Latencies of the same requests on a quiet server and on a busy one, in turn.
struct LatencyComparison {
    /// How many times as long the p99 may be on the busy one.
    static let allowedRatio = 2.0

    private var quiet: [SteadyRequests.Outcome] = []
    private var busy: [SteadyRequests.Outcome] = []

    mutating func add(quiet: SteadyRequests.Outcome, busy: SteadyRequests.Outcome) {
        self.quiet.append(quiet)
        self.busy.append(busy)
    }

    func line(_ name: String) -> BenchReport.Line {
        func milliseconds(_ outcomes: [SteadyRequests.Outcome]) -> [Double] {
            outcomes.map { Double($0.latency.value(at: 0.99)) / 1e6 }
        }
        return BenchReport.Line(
            "p99 of \(name)", unit: "ms", milliseconds(busy), beside: "without them", milliseconds(quiet))
    }

    /// The problems, with their number.
    func errors(_ name: String) -> [String: Int] {
        var errors: [String: Int] = [:]
        let failed = (quiet + busy).reduce(0) { $0 + $1.errors }
        if failed > 0 { errors["\(name) not answered"] = failed }
        if let ratio = line(name).ratio, ratio.median > Self.allowedRatio {
            errors["p99 of \(name) more than \(Self.allowedRatio) times as long"] = 1
        }
        return errors
    }
}
