import ArgumentParser
import ChatLocalStack
import Foundation

/// `chat-lab bench`: measures speed, and checks that nothing is lost at that speed.
struct BenchCommand: AsyncParsableCommand {
    /// The benches that `chat-lab bench all` runs.
    static let benchmarks: [any RepeatedBenchmark.Type] = [
        FanoutBenchCommand.self, RoomsBenchCommand.self, ConnectBenchCommand.self, PostBenchCommand.self,
        EndToEndBenchCommand.self, IdleBenchCommand.self, UserSocketsBenchCommand.self, ChangesBenchCommand.self,
        InstructionsBenchCommand.self,
    ]

    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures private stacks of release servers, durable as in production.",
        subcommands:
            benchmarks + [
                LoginsBenchCommand.self, SlowHandshakesBenchCommand.self, AbuseBenchCommand.self, SoakBenchCommand.self,
                ImportBenchCommand.self, FilesBenchCommand.self, AllBenchCommand.self,
                BareServerCommand.self,
            ])
}

/// `chat-lab bench all`: runs the benches one after another, each with its defaults.
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
                // A bench that is not clean has printed its report.
                if !(error is ExitCode) { Terminal.printError("chat-lab bench \(name): \(error)") }
                failed.append(name)
            }
            Terminal.print()
        }
        guard failed.isEmpty else {
            Terminal.printError("Not clean: \(failed.joined(separator: ", "))")
            throw ExitCode.failure
        }
    }
}
