import ArgumentParser
import ChatLocalStack
import CommonUtil
import Glibc

/// The command line tool `chat-lab`: measures the platform and breaks it on purpose. It is no part of the image.
@main
struct ChatLab: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat-lab",
        abstract: "Measures the chat platform, and breaks it on purpose.",
        version: "chat-lab \(ChatVersion.current)",
        subcommands: [BenchCommand.self, FaultsCommand.self, EchoCommand.self, LibraryClientProgram.self])
}

/// `chat-lab echo`: the echo server in place of this process.
struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Runs a WebSocket echo server for conformance suites, made of the chat server's own protocol.")

    @Option(help: "Where to listen on 127.0.0.1.")
    var port: UInt16 = 9_001

    func run() throws {
        setenv(Settings.host.name, "127.0.0.1", 1)
        setenv(Settings.port(default: 0).name, String(port), 1)
        let executable = "\(BuildFolder.current)/\(ServerKind.webSocket.rawValue)"
        var arguments = [strdup(executable), strdup("echo"), nil]
        defer { for argument in arguments { free(argument) } }
        execv(executable, &arguments)
        throw ValidationError("Cannot run \(executable): \(String(cString: strerror(errno)))")
    }
}
