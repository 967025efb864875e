import ArgumentParser
import ChatLocalStack
import ChatStorage
import CommonUtil
import Foundation
import Logging
import PostgresClient

/// `chat migrate`: brings a database up to date before the servers of a new release start. They would do it, too.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Brings the database of CHAT_DATABASE_URL up to date.")

    func run() async throws {
        let applied: [Int]
        do {
            let client = try await PostgresClient.ofOperator(name: "chat-migrate")
            applied = try await ChatSchema.migrate(client)
            await client.close()
        } catch let error as ConfigurationError {
            Terminal.complain("\(error)")
            throw ExitCode(ConfigurationError.exitCode)
        } catch let error as PostgresError {
            Terminal.complain("\(error)")
            throw ExitCode.failure
        }
        Terminal.say(
            applied.isEmpty
                ? "The database is up to date."
                : "Applied: \(applied.map(String.init).joined(separator: ", ")).")
    }
}

extension PostgresClient {
    /// A client of the database of `CHAT_DATABASE_URL`, for a command that says itself what goes wrong.
    /// - Parameter name: how PostgreSQL names the connection (`application_name`).
    /// - Throws: `ConfigurationError`.
    static func ofOperator(name: String) async throws -> PostgresClient {
        let settings = try await ConfigurationSource(
            arguments: ["chat"], environment: ProcessInfo.processInfo.environment)
        return try chat(settings, name: name, logger: Logger(label: "chat") { _ in SwiftLogNoOpLogHandler() })
    }
}
