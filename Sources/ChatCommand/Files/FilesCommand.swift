import ArgumentParser
import AsyncHTTPClient
import ChatFileStore
import ChatLocalStack
import ChatStorage
import CommonAuth
import CommonUtil
import Foundation
import NIOSSL
import PostgresClient
import S3Client

/// `chat files`: the store of files beside the database.
struct FilesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "files", abstract: "Checks the store of files.", subcommands: [FilesCheckCommand.self])
}

/// `chat files check`: compares the store with the database.
struct FilesCheckCommand: AsyncParsableCommand {
    /// Objects that are deleted by one run.
    static let maximumDeleted = 10_000
    private static let promptAdvice = "give --yes"

    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compares the store of files with the database, and says what is too many or missing.",
        discussion: """
            It reads CHAT_DATABASE_URL, CHAT_FILE_STORE, CHAT_DATA_DIR and CHAT_S3_… as a message server does, and changes \
            nothing without --delete-unknown. Servers may run meanwhile. A line for each finding: unknown (bytes of which the \
            database knows no file), missing (a file whose bytes are not there), wrong_size, orphan (a thumbnail without its \
            file); then the numbers.

            Exit: 0 nothing is wrong, or all of it was deleted; 1 something is, or --yes is refused since the database has no \
            file at all; 64 there is no terminal to ask, and no --yes; 69 the database or the store is away; 78 a \
            setting is wrong, or the store is another installation's.
            """)

    @Flag(help: "Write findings and numbers as JSON, an object a line. The numbers are the last line.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Seconds for which bytes that the database does not know are left alone.", valueName: "seconds"))
    var minAge = 3_600

    @Flag(
        help: """
            Delete what is unknown, after asking; at most \(maximumDeleted) objects. After a restore of an older database \
            that is every file since.
            """)
    var deleteUnknown = false

    @Flag(help: "Delete without asking.")
    var yes = false

    func validate() throws {
        guard (0...315_360_000).contains(minAge) else { throw ValidationError("--min-age is 0–315360000") }
        if yes, !deleteUnknown { throw ValidationError("--yes is for --delete-unknown.") }
    }

    func run() async throws {
        let summary = try await OperatorCommand.reporting {
            if deleteUnknown, !yes { try TerminalPrompt.requireTerminal(advice: Self.promptAdvice) }
            let settings = try await OperatorCommand.settings()
            let configured = try ConfiguredFileStore(
                settings, tls: .client(trustFile: try settings.value(Settings.tlsCAFile)),
                eventLoopGroup: HTTPClient.defaultEventLoopGroup)
            guard let configured else { throw ConfigurationError("CHAT_FILE_STORE is none: there are no files") }
            return try await OperatorCommand.withDatabase(settings, name: "chat-files") { client in
                do {
                    let summary = try await check(configured, ChatDatabase(client))
                    await configured.client?.shutdown()
                    return summary
                } catch {
                    await configured.client?.shutdown()
                    throw error
                }
            }
        }
        if summary.hasFindings { throw ExitCode.failure }
    }

    private func check(_ configured: ConfiguredFileStore, _ database: ChatDatabase) async throws -> FileCheckSummary {
        let (id, hasFiles) = try await FileRepository(database).installation()
        if case .foreign(let reason) = try await configured.store.ownership(by: id, hasFiles: hasFiles) {
            throw ConfigurationError("\(configured.place) is not the store of this installation: \(reason)")
        }
        if yes, !hasFiles, !(try await configured.store.list(after: nil).isEmpty) {
            throw CommandFailure(
                ExitCode.failure.rawValue,
                "the database has no file, but the store has: nothing is deleted without asking. Is CHAT_DATABASE_URL right?"
            )
        }
        let output = StandardOutput()
        let check = FileCheck(configured.store, minimumAge: minAge, FileInventory(database))
        var unknown: [FileFinding] = []
        do {
            var summary = try await check.run { finding in
                try await output.write(line: json ? String(decoding: finding.jsonBytes, as: UTF8.self) : finding.line)
                guard deleteUnknown, finding.kind == .unknown, unknown.count < Self.maximumDeleted else { return }
                unknown.append(finding)
            }
            // What was found, and what was deleted, is reported even if a deletion fails.
            var failure: (any Error)?
            do {
                if !unknown.isEmpty, try await mayDelete(unknown, in: configured.place) {
                    try await check.delete(unknown, &summary)
                }
            } catch {
                failure = error
            }
            for line in json ? [String(decoding: summary.jsonBytes, as: UTF8.self)] : summary.lines {
                try await output.write(line: line)
            }
            if let failure { throw failure }
            return summary
        } catch is OutputClosed {
            throw ExitCode.failure
        }
    }

    private func mayDelete(_ unknown: [FileFinding], in place: String) async throws -> Bool {
        guard !yes else { return true }
        let bytes = unknown.reduce(0) { $0 + ($1.storedSize ?? 0) }
        let answer = try await TerminalPrompt.ask(
            "Delete \(unknown.count) objects of \(bytes) bytes for good in \(place)? [y/N] ", isHidden: false,
            advice: Self.promptAdvice)
        return ["y", "yes"].contains(answer?.lowercased())
    }
}
