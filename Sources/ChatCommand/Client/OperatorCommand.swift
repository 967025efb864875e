import ArgumentParser
import ChatFileStore
import ChatLocalStack
import ChatStorage
import CommonUtil
import PostgresClient

/// Commands of an operator, which use the database and the store themselves.
enum OperatorCommand {
    /// Runs a command, or writes why it failed to standard error and ends with the exit code (sysexits.h): 78 for a wrong
    /// setting, 69 where the database or the store is away.
    static func reporting<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as ConfigurationError {
            Terminal.complain("\(error)")
            throw ExitCode(ConfigurationError.exitCode)
        } catch let failure as CommandFailure {
            Terminal.complain("chat: \(failure.message)")
            throw ExitCode(failure.exitCode)
        } catch let error as FileStoreError {
            Terminal.complain("chat: the store of files cannot be used: \(error)")
            throw ExitCode(CommandFailure.unavailableCode)
        } catch let error as PostgresError {
            Terminal.complain("\(error)")
            throw ExitCode(CommandFailure.unavailableCode)
        } catch let error as ChatError {
            Terminal.complain("chat: \(error.detail)")
            throw ExitCode(CommandFailure.unavailableCode)
        }
    }
}
