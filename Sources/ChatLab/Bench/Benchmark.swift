import ArgumentParser
import ChatLocalStack

/// A command that measures something on stacks of its own and reports it. Exit status 0 only if the report is clean.
protocol Benchmark: AsyncParsableCommand {
    /// The file to which the figures are written as JSON.
    var json: String? { get }

    func measure() async throws -> BenchReport
}

extension Benchmark {
    func run() async throws {
        let report = try await measure()
        Terminal.print(report.text)
        try ReportFile.write(report, to: json)
        if !report.isClean { throw ExitCode.failure }
    }
}

/// A benchmark that is measured several times.
protocol RepeatedBenchmark: Benchmark {
    var options: BenchOptions { get }
}

extension RepeatedBenchmark {
    var json: String? { options.json }
}

/// The options of every repeated benchmark.
struct BenchOptions: ParsableArguments {
    @Option(help: "How often each is measured.")
    var rounds = 5

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds 1–100") }
    }
}
