import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation

/// `chat up`: the whole platform on this machine, for trying it and for working on it.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Runs the three servers, with a private PostgreSQL and Redis unless external ones are set.",
        discussion: """
            CHAT_DATABASE_URL and CHAT_REDIS_URL name external engines; what is not set is started privately on free \
            loopback ports, with its data in the data folder. All other CHAT_… variables are handed to the servers, but \
            for CHAT_PORT and CHAT_METRICS_PORT, which are refused: there are three servers. \
            Ctrl-C stops everything in good order, a second one at once.
            """)

    @Flag(help: "Take callers' word for who they are (CHAT_AUTH_MODE=trusted). For local work only.")
    var trusted = false

    @Option(name: .customLong("data-dir"), help: "Where data, keys and logs are (default: CHAT_DATA_DIR or .chat).")
    var dataFolder: String?

    @Option(help: "The system server's port.")
    var systemPort = ServerKind.system.defaultPort

    @Option(help: "The message server's port.")
    var messagePort = ServerKind.message.defaultPort

    @Option(help: "The WebSocket server's port.")
    var websocketPort = ServerKind.webSocket.defaultPort

    func run() async throws {
        do {
            let plan = try await UpPlan(
                trusted: trusted, dataFolder: dataFolder,
                ports: [.system: systemPort, .message: messagePort, .webSocket: websocketPort],
                environment: ProcessInfo.processInfo.environment)
            for name in plan.unknownNames {
                Terminal.printError("Warning: there is no variable \(name); perhaps it is misspelt.")
            }
            try await UpSession(plan).run()
        } catch let error as ConfigurationError {
            Terminal.printError("\(error)")
            throw ExitCode(ConfigurationError.exitCode)
        }
    }
}
