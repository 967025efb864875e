import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation

/// `chat health`: the healthcheck of the containers, so nothing heavy is started.
struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Asks a server whether it can do its job now: exit 0 if so, else 1.",
        discussion: "Without an argument: the server on CHAT_PORT, or, if that is not set, all three on their ports.")

    @Argument(help: "system, message, websocket, or the URL of a server.")
    var server: String?

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 3

    func run() throws {
        let targets = try HealthTarget.choose(server, environment: ProcessInfo.processInfo.environment)
        var healthy = true
        for target in targets {
            do {
                let answer = try HTTPProbe.get(
                    host: target.host, port: target.port, path: "/health/ready", timeout: .seconds(timeout))
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

/// A server to be asked.
struct HealthTarget: Equatable {
    var name: String
    var host: String
    var port: Int

    /// - Throws: `ValidationError` if `argument` is neither a server's name nor an http URL.
    static func choose(_ argument: String?, environment: [String: String]) throws -> [HealthTarget] {
        if let argument {
            if let kind = ServerKind.allCases.first(where: { $0.logName == argument }) { return [HealthTarget(kind)] }
            guard let url = URLComponents(string: argument), url.scheme == "http", let host = url.host else {
                throw ValidationError("'\(argument)' is neither system, message, websocket nor an http:// URL.")
            }
            return [HealthTarget(name: argument, host: host, port: url.port ?? 80)]
        }
        let variable = Settings.port(default: 0).name
        if let text = environment[variable], !text.isEmpty {
            guard let port = Int(text) else { throw ValidationError("\(variable) is '\(text)', no port.") }
            return [HealthTarget(name: "127.0.0.1:\(port)", host: "127.0.0.1", port: port)]
        }
        return ServerKind.allCases.map { HealthTarget($0) }
    }

    init(name: String, host: String, port: Int) {
        self.name = name
        self.host = host
        self.port = port
    }

    private init(_ kind: ServerKind) {
        self.init(name: kind.logName, host: "127.0.0.1", port: kind.defaultPort)
    }
}
