import ArgumentParser
import ChatLocalStack
import ChatStorage
import CommonUtil
import PostgresClient

/// `chat migrate`: brings a database up to date before the servers of a new release start. They would do it, too.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Brings the database of CHAT_DATABASE_URL up to date.",
        discussion: "If that is not set, and `chat up` has made a database in CHAT_DATA_DIR, it is that one.")

    func run() async throws {
        let applied: [Int]
        do {
            applied = try await OperatorCommand.withDatabase(OperatorCommand.settings(), name: "chat-migrate") {
                try await ChatSchema.migrate($0)
            }
        } catch let error as ConfigurationError {
            Terminal.printError("\(error)")
            throw ExitCode(ConfigurationError.exitCode)
        } catch let error as PostgresError {
            Terminal.printError("\(error)")
            throw ExitCode.failure
        }
        Terminal.print(
            applied.isEmpty
                ? "The database is up to date."
                : "Applied: \(applied.map(String.init).joined(separator: ", ")).")
    }
}
