import ArgumentParser

/// `chat bench`: how fast it is, and that nothing is lost at that speed.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures a private stack of release servers, durable as in production.",
        subcommands: [
            FanoutBenchCommand.self, EndToEndBenchCommand.self, ConnectBenchCommand.self, PostBenchCommand.self,
            LoginsBenchCommand.self, SlowHandshakesBenchCommand.self,
        ])
}
