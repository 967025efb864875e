import ArgumentParser
import ChatLocalStack
import Foundation

/// `chat test`: runs the tests that are built, and ends a run that hangs.
struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Runs the tests, one at a time; arguments go to `swift test`, e.g. --filter ChatStorageTests.",
        discussion: """
            A run in which no test has begun or ended for two minutes is ended, and what is pending is named. Ctrl-C and \
            SIGTERM end it with all that it has started.
            """)

    @Argument(parsing: .captureForPassthrough, help: "Arguments of `swift test`.")
    var arguments: [String] = []

    func run() async throws {
        guard let swift = ExecutableSearch.inPath("swift") else {
            throw LocalStackError("swift is not in PATH")
        }
        let run = try TestRun(swift: swift, arguments: Self.arguments(for: arguments))
        throw ExitCode(try await run.run())
    }

    /// The arguments of `swift test`. One test at a time unless `--parallel` says otherwise: on two busy cores hundreds
    /// at once would miss each other's deadlines.
    static func arguments(for given: [String]) -> [String] {
        let saysHow = given.contains { $0 == "--parallel" || $0 == "--no-parallel" }
        return ["test", "--skip-build", "--disable-xctest"] + (saysHow ? [] : ["--no-parallel"]) + given
    }
}
