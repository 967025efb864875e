import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import Logging

/// `chat stack`: a private stack for programs that are no part of this one, such as `scripts/conformance`.
struct StackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stack",
        abstract: "Runs a private stack on free ports for another program, and removes it afterwards.",
        discussion: """
            When everything runs, one line of JSON on standard output says where: system, message, webSocket, database \
            (URLs) and folder (data and logs). There are no rate limits and passwords are cheap to hash. SIGTERM or Ctrl-C stops it.
            """)

    @Flag(help: "Believe callers who they are (CHAT_AUTH_MODE=trusted).")
    var trusted = false

    @Option(name: .customLong("set"), help: "NAME=VALUE: a CHAT_… variable of the servers; may be given repeatedly.")
    var settings: [String] = []

    func run() async throws {
        var environment = Self.unlimited
        environment[Settings.authMode.name] = (trusted ? AuthMode.trusted : .token).rawValue
        for setting in settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, Settings.names.contains(String(parts[0])) else {
                throw ValidationError("--set takes NAME=VALUE with a variable of the servers, not '\(setting)'")
            }
            environment[String(parts[0])] = String(parts[1])
        }
        let interrupts = await Interrupts()
        let stack = try LocalStack(
            .init(environment: environment), logger: Logger(label: "stack") { _ in SwiftLogNoOpLogHandler() })
        try await stack.start()
        Terminal.print(try Self.place(of: stack))
        await interrupts.wait()
        try await stack.stop()
    }

    private static let unlimited = [
        Settings.passwordCost.name: "12", Settings.drainSeconds.name: "1",
    ].merging(Settings.withoutLimits) { $1 }

    private static func place(of stack: LocalStack) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let place = [
            "system": stack.systemServer.url, "message": stack.messageServers[0].url,
            "webSocket": stack.webSocketServers[0].webSocketURL, "folder": stack.folder,
            "database": stack.postgres.url,
        ]
        return String(decoding: try encoder.encode(place), as: UTF8.self)
    }
}
