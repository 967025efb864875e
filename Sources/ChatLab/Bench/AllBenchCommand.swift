import ArgumentParser
import ChatLocalStack
import Foundation

/// `chat-lab bench all`: one after another, as each would run alone.
struct AllBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Runs all benches but the soak, one after another, each with its defaults.")

    @Option(help: "How often each is measured.")
    var rounds = 5

    @Option(help: "A folder in which each writes its figures as NAME.json.")
    var json: String?

    func run() async throws {
        if let json { try FileManager.default.createDirectory(atPath: json, withIntermediateDirectories: true) }
        var failed: [String] = []
        for kind in BenchCommand.benchmarks {
            let name = kind.configuration.commandName ?? "\(kind)"
            let arguments = ["--rounds", String(rounds)] + (json.map { ["--json", "\($0)/\(name).json"] } ?? [])
            do {
                // The type is known, so this is not asked to find a subcommand.
                guard var bench = try kind.parseAsRoot(arguments) as? any RepeatedBenchmark else { continue }
                try await bench.run()
            } catch let error as CancellationError {
                throw error
            } catch {
                // A bench that is not clean has said so itself.
                if !(error is ExitCode) { Terminal.complain("chat-lab bench \(name): \(error)") }
                failed.append(name)
            }
            Terminal.say()
        }
        guard failed.isEmpty else {
            Terminal.complain("Not clean: \(failed.joined(separator: ", "))")
            throw ExitCode.failure
        }
    }
}
