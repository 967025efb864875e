import ArgumentParser
import CommonUtil

/// The command line tool `chat`.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Uses a chat from the terminal; runs and checks the chat platform.",
        version: "chat \(ChatVersion.current)",
        subcommands: [
            UpCommand.self, TestCommand.self, HealthCommand.self, MigrateCommand.self, KeysCommand.self,
            FilesCommand.self, StackCommand.self,
        ],
        groupedSubcommands: [
            CommandGroup(
                name: "Chat",
                subcommands: [
                    LoginCommand.self, LogoutCommand.self, RoomsCommand.self, TalkCommand.self, TailCommand.self,
                    PostCommand.self,
                ])
        ])
}
