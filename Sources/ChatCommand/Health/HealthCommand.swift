import ArgumentParser
import ChatLocalStack
import Foundation

/// `chat health`: the healthcheck of the containers, so nothing heavy is started.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Asks a server whether it can do its job now: exit 0 if so, else 1.",
        discussion: """
            Without an argument: the server on CHAT_PORT, or, if that is not set, all three on their ports, at the address \
            of CHAT_HOST (the loopback address if that stands for all), over TLS where CHAT_TLS_CERTIFICATE_FILE is set. CHAT_TLS_CA_FILE may vouch for the server of an https URL.
            """)

    @Argument(help: "system, message, websocket, or the URL of a server.")
    var server: String?

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 3

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let targets = try HealthTarget.choose(server, environment: environment)
        var healthy = true
        for target in targets {
            do {
                let answer = try await HealthProbe.ask(target, timeout: .seconds(timeout), environment: environment)
                Terminal.say(targets.count > 1 ? "\(target.name): \(answer.body)" : answer.body)
                healthy = healthy && answer.status == 200
            } catch {
                Terminal.complain("\(target.name): \(error)")
                healthy = false
            }
        }
        if !healthy { throw ExitCode.failure }
    }
}
