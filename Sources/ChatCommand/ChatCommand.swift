import ArgumentParser

/// The command line tool `chat`.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Runs, checks and measures the chat platform.",
        subcommands: [
            UpCommand.self, HealthCommand.self, MigrateCommand.self, BenchCommand.self, FaultsCommand.self,
            StackCommand.self, EchoCommand.self,
        ])
}
