import ArgumentParser
import AsyncHTTPClient
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// `chat health`: the healthcheck of the containers, so nothing heavy is started.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Asks a server whether it can do its job now: exit 0 if so, else 1.",
        discussion: """
            Without an argument: the server on CHAT_PORT, or, if that is not set, all three on their ports, at the address \
            of CHAT_HOST (the loopback address if that stands for all), over TLS where CHAT_TLS_CERTIFICATE_FILE is set. CHAT_TLS_CA_FILE may name the authority of an https URL's server.
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
                Terminal.print(targets.count > 1 ? "\(target.name): \(answer.body)" : answer.body)
                healthy = healthy && answer.status == 200
            } catch {
                Terminal.printError("\(target.name): \(error)")
                healthy = false
            }
        }
        if !healthy { throw ExitCode.failure }
    }
}

/// Requests the readiness of one server.
enum HealthProbe {
    private static let path = "/health/ready"
    private static let maximumBytes = 1024 * 1024

    /// - Throws: if nothing answers in time, or the certificate is not trusted.
    static func ask(
        _ target: HealthTarget, timeout: Duration, environment: [String: String]
    ) async throws -> HTTPProbe.Answer {
        guard target.transport != .plain else {
            return try HTTPProbe.get(host: target.host, port: target.port, path: path, timeout: timeout)
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if target.transport == .ownTLS {
            tls.certificateVerification = .none
        } else if let file = environment[Settings.tlsCAFile.name], !file.isEmpty {
            tls.additionalTrustRoots = [.file(file)]
        }
        var request = HTTPClientRequest(url: "https://\(target.host):\(target.port)\(path)")
        request.tlsConfiguration = tls
        let response = try await HTTPClient.shared.execute(request, timeout: TimeAmount(timeout))
        let body = try await response.body.collect(upTo: maximumBytes)
        return HTTPProbe.Answer(status: Int(response.status.code), body: String(buffer: body))
    }
}
