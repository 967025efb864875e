import ArgumentParser
import CommonUtil

/// The command line tool `chat`.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Runs and checks the chat platform.",
        version: "chat \(ChatVersion.current)",
        subcommands: [
            UpCommand.self, TestCommand.self, HealthCommand.self, MigrateCommand.self, StackCommand.self,
        ])
}
