import ArgumentParser
import ChatFileStore
import ChatLocalStack
import ChatStorage
import CommonUtil
import Foundation
import Logging
import PostgresClient

/// Commands of an operator, which use the database and the store themselves.
enum OperatorCommand {
    /// Runs a command, or writes why it failed to standard error and ends with the exit code (sysexits.h): 78 for a wrong
    /// setting, 69 where the database or the store is away.
    static func reporting<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as ConfigurationError {
            throw ended("\(error)", ConfigurationError.exitCode)
        } catch let failure as CommandFailure {
            throw ended("chat: \(failure.message)", failure.exitCode)
        } catch let error as FileStoreError {
            throw ended("chat: the store of files cannot be used: \(error)", CommandFailure.unavailableCode)
        } catch let error as PostgresError {
            throw ended("\(error)", CommandFailure.unavailableCode)
        } catch let error as ChatError {
            throw ended("chat: \(error.detail)", CommandFailure.unavailableCode)
        }
    }

    private static func ended(_ reason: String, _ exitCode: Int32) -> ExitCode {
        Terminal.printError(reason)
        return ExitCode(exitCode)
    }

    /// The settings of the environment, as servers have them. Without a database the settings are those of `chat up`, if it
    /// has made one in the data folder.
    /// - Throws: `ConfigurationError`.
    static func settings(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws -> ConfigurationSource {
        let arguments = ["chat"]
        let settings = try await ConfigurationSource(arguments: arguments, environment: environment)
        guard !settings.isSet(Settings.databaseURL),
            let url = KeptPorts.databaseURL(in: try settings.value(Settings.dataDirectory))
        else { return settings }
        return try await ConfigurationSource(
            arguments: arguments, environment: environment.merging([Settings.databaseURL.name: url]) { $1 })
    }

    /// Lends a client of the database of `CHAT_DATABASE_URL`, which is closed afterwards.
    /// - Parameter name: how PostgreSQL names the connection (`application_name`).
    /// - Throws: `ConfigurationError`; what `body` throws.
    static func withDatabase<Result>(
        _ settings: ConfigurationSource, name: String, _ body: (PostgresClient) async throws -> Result
    ) async throws -> Result {
        let client = try PostgresClient.chat(
            settings, name: name, logger: Logger(label: "chat") { _ in SwiftLogNoOpLogHandler() })
        let result: Result
        do {
            result = try await body(client)
        } catch {
            await client.close()
            throw error
        }
        await client.close()
        return result
    }
}
