import ArgumentParser

/// A command that measures something on stacks of its own and reports it. Exit status 0 only if the report is clean.
protocol Benchmark: AsyncParsableCommand {
    var options: BenchOptions { get }

    func measure() async throws -> BenchReport
}

extension Benchmark {
    func run() async throws {
        let report = try await measure()
        Terminal.say(report.text)
        try ReportFile.write(report, to: options.json)
        if !report.isClean { throw ExitCode.failure }
    }
}

/// What all benches take.
struct BenchOptions: ParsableArguments {
    @Option(help: "How often each is measured.")
    var rounds = 5

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds 1–100") }
    }
}
