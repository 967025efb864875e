import ArgumentParser

/// `chat-lab bench`: how fast it is, and that nothing is lost at that speed.
struct BenchCommand: AsyncParsableCommand {
    /// All that `chat-lab bench all` runs.
    static let benchmarks: [any RepeatedBenchmark.Type] = [
        FanoutBenchCommand.self, RoomsBenchCommand.self, ConnectBenchCommand.self, PostBenchCommand.self,
        EndToEndBenchCommand.self, IdleBenchCommand.self, InstructionsBenchCommand.self,
    ]

    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures private stacks of release servers, durable as in production.",
        subcommands:
            benchmarks + [
                LoginsBenchCommand.self, SlowHandshakesBenchCommand.self, SoakBenchCommand.self, AllBenchCommand.self,
                BareServerCommand.self,
            ])
}
