import ArgumentParser
import ChatClient
import Foundation
import Synchronization

/// `chat post`: sends a text, each line of standard input, or a file.
struct PostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "post",
        abstract: "Sends a text to a room, or each line of standard input, in order, or a file.",
        discussion: """
            With --key-prefix P the key of line n is P-n, and a line is stored once, however often the same input is sent \
            with the same P: after a crash just send all of it again. Empty lines count and are not sent. A line that \
            the server refuses is reported with its number, and the others go on. What was not sent when the command \
            ends is not sent later.

            With --file PATH the file is uploaded and sent as one message, of which the text is the caption. It counts as \
            line 1; with the same P the same file is stored once.

            Exit: 0 all is stored, 65 a line or the file was refused, 66 no such room, 69 not stored within --timeout, 77 not \
            signed in or not in the room, 130 interrupted.
            """)

    @Argument(help: "The room's id.")
    var room: RoomArgument

    @Argument(help: "The text; without it the lines of standard input.")
    var text: String?

    @Option(help: ArgumentHelp("Send this file; the text is its caption.", valueName: "path"))
    var file: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("What the lines' keys begin with: 1 to 48 of A–Z a–z 0–9 . _ -", valueName: "p"))
    var keyPrefix: KeyPrefix?

    @Option(help: ArgumentHelp("Seconds after which it gives up; without it, it waits for ever.", valueName: "s"))
    var timeout: Double?

    @Flag(help: "Write what became of each line to standard output, as JSON.")
    var json = false

    @OptionGroup var options: ClientOptions

    func validate() throws {
        if text?.isEmpty == true { throw ValidationError("The text is empty.") }
        if let file, !FileManager.default.isReadableFile(atPath: file) {
            throw ValidationError("The file \(file) cannot be read.")
        }
        if let timeout, !(timeout > 0 && timeout <= 1e6) { throw ValidationError("--timeout is a number of seconds.") }
    }

    func run() async throws {
        ExitSignals.install()
        try await CommandFailure.reporting {
            let session = ClientSession(
                settings: try options.settings(), timeout: timeout.map { .milliseconds(Int64($0 * 1000)) },
                lateness: "not all was stored in time")
            let refused = try await session.run { client in
                let run = PostRun(room: client.room(room.id), prefix: keyPrefix, isJSON: json)
                if let file { return try await run.send(file: file, caption: text) }
                return try await run.send(lines())
            }
            if refused > 0 {
                let what =
                    if file != nil { "the file was refused" } else if text != nil { "the text was refused" } else {
                        "refused lines: \(refused)"
                    }
                throw CommandFailure(CommandFailure.refusedCode, what)
            }
        }
    }

    private func lines() -> @Sendable () async throws -> LineSplitter.Line? {
        guard let text else {
            let lines = InputLines()
            return { try await lines.next() }
        }
        let line = Mutex<LineSplitter.Line?>(.init(number: 1, content: .text(text)))
        return {
            line.withLock { line in
                defer { line = nil }
                return line
            }
        }
    }
}

/// What the keys of a run's posts begin with.
struct KeyPrefix: ExpressibleByArgument, Equatable {
    private let text: String

    /// 1–48 of `A–Z a–z 0–9 . _ -`.
    init?(argument: String) {
        guard (1...48).contains(argument.utf8.count), argument.utf8.allSatisfy(RoomArgument.isAllowed) else {
            return nil
        }
        text = argument
    }

    /// The key of a line, from 1.
    func key(ofLine number: Int) -> String { "\(text)-\(number)" }
}
