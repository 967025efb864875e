import ArgumentParser
import ChatLocalStack
import ChatStorage
import CommonAuth
import CommonUtil
import Foundation
import PostgresClient

/// `chat keys`: the keys of servers, in the database of CHAT_DATABASE_URL.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Makes, lists and revokes the keys with which a backend calls the servers.",
        discussion: """
            They are kept in the database of CHAT_DATABASE_URL. If that is not set, and `chat up` has made a database in \
            CHAT_DATA_DIR, it is that one. The keys that sign access tokens are files.
            """,
        subcommands: [KeysCreateCommand.self, KeysListCommand.self, KeysRevokeCommand.self])
}

/// `chat keys create`: makes a key and writes it, alone, to standard output.
struct KeysCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a key and writes it to standard output. It is shown this once.")

    @Argument(help: "The key's name: \(KeyName.rule).") var name: KeyName
    @Option(name: .customLong("scope"), help: "What the key may do; to be given once or more often.")
    var scopes: [KeyScope]
    @Option(help: "Days after which the key is refused, 1–36500. Without it, never.") var expiresDays: Int?

    func validate() throws {
        guard !scopes.isEmpty else { throw ValidationError("a key needs at least one --scope") }
        guard expiresDays.map({ (1...36_500).contains($0) }) ?? true else {
            throw ValidationError("--expires-days is 1–36500")
        }
    }

    func run() async throws {
        let secret = ServerKeySecret()
        let expiresAt = expiresDays.map { Timestamp(Date(timeIntervalSinceNow: Double($0) * 86_400)) }
        let made = try await KeyDatabase.with { keys in
            try await keys.insert(name, hash: secret.hash, scopes: Set(scopes), expiresAt: expiresAt)
        }
        switch made {
        case .made: Terminal.print(secret.text)
        case .nameTaken:
            Terminal.printError("chat: there is a key of the name \(name)")
            throw ExitCode(CommandFailure.refusedCode)
        case .tooMany:
            Terminal.printError("chat: there are \(ServerKeyRepository.maximumCount) keys; revoke those not in use")
            throw ExitCode(CommandFailure.refusedCode)
        }
    }
}

/// `chat keys list`: a line for each key; the keys themselves are stored nowhere.
struct KeysListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the keys: name, scopes, when made, when they end. Never the keys.")

    func run() async throws {
        let keys = try await KeyDatabase.with { try await $0.all() }
        for key in keys { Terminal.print(Self.line(key, at: .now)) }
    }

    static func line(_ key: ServerKey, at now: Timestamp) -> String {
        let scopes = KeyScope.allCases.filter(key.scopes.contains).map(\.rawValue).joined(separator: ",")
        let end = key.expiresAt.map { "\(key.isExpired(at: now) ? "expired" : "expires") \($0)" } ?? "does not expire"
        return "\(key.name)\t\(scopes)\tmade \(key.createdAt)\t\(end)"
    }
}

/// `chat keys revoke`: servers refuse the key within five seconds.
struct KeysRevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes a key. Every server refuses it within five seconds.")

    @Argument(help: "The key's name.") var name: KeyName

    func run() async throws {
        guard try await KeyDatabase.with({ try await $0.delete(name) }) else {
            Terminal.printError("chat: there is no key of the name \(name)")
            throw ExitCode(CommandFailure.refusedCode)
        }
        Terminal.printError("Revoked \(name).")
    }
}

/// The keys in the database of `CHAT_DATABASE_URL`.
private enum KeyDatabase {
    /// Runs `body`, or ends as ``OperatorCommand/reporting(_:)`` does.
    static func with<Result: Sendable>(
        _ body: @Sendable (ServerKeyRepository) async throws -> Result
    ) async throws -> Result {
        try await OperatorCommand.reporting {
            try await OperatorCommand.withDatabase(OperatorCommand.settings(), name: "chat-keys") { client in
                // A first key can be made before any server has run.
                try await ChatSchema.migrate(client)
                return try await body(ServerKeyRepository(ChatDatabase(client)))
            }
        }
    }
}

extension KeyName: ExpressibleByArgument {
    /// Reads an argument.
    public init?(argument: String) { self.init(argument) }
}

extension KeyScope: ExpressibleByArgument {}
