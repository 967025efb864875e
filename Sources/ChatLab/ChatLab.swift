import ArgumentParser
import CommonUtil

/// The command line tool `chat-lab`: measures the platform and breaks it on purpose. It is no part of the image.
@main
struct ChatLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat-lab",
        abstract: "Measures the chat platform, and breaks it on purpose.",
        version: "chat-lab \(ChatVersion.current)",
        subcommands: [BenchCommand.self, FaultsCommand.self, EchoCommand.self])
}
