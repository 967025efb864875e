import ArgumentParser
import ChatClient
import ChatLocalStack

/// `chat tail`: the events of a room, one a line.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Writes the events of a room to standard output, one a line, until it is stopped.",
        discussion: """
            Without --after and --as it begins now. With --as NAME it goes on where the last reader of that name stopped: \
            the position is kept once a line is written, so that after a crash the last line at most comes again. \
            A fault of the network ends nothing.

            Exit: 0 whoever read the output has gone, 65 the server has another log (the last line is its reset), 66 no such \
            room, 75 another process uses NAME, 77 not signed in, not in the room or removed, 130 interrupted.
            """)

    @Argument(help: "The room's id.")
    var room: RoomArgument

    @Option(help: ArgumentHelp("The seq of the last event that was dealt with; 0: all events.", valueName: "seq"))
    var after: Int64?

    // Every 64th mark begins with a dash.
    @Option(
        parsing: .unconditional,
        help: "The mark of that event, by which the server knows whether its log is still the same.")
    var mark: String?

    @Option(
        name: .customLong("as"), parsing: .unconditional,
        help: ArgumentHelp("Keep the position under this name; one process at a time.", valueName: "name"))
    var name: String?

    @Flag(help: "Write each event as the JSON that the server sent.")
    var json = false

    @OptionGroup var options: ClientOptions

    func validate() throws {
        if let after, after < 0 { throw ValidationError("--after is 0 or a seq.") }
        if mark != nil, after == nil { throw ValidationError("--mark needs --after.") }
        if let mark, !Self.isMark(mark) { throw ValidationError("A mark has 6 to 16 of A–Z a–z 0–9 - _") }
        if name != nil, after != nil { throw ValidationError("--as and --after exclude each other.") }
        if let name, !(1...64).contains(name.unicodeScalars.count) {
            throw ValidationError("A name has 1 to 64 characters.")
        }
    }

    private static func isMark(_ text: String) -> Bool {
        (6...16).contains(text.utf8.count)
            && text.utf8.allSatisfy { RoomArgument.isAllowed($0) && $0 != UInt8(ascii: ".") }
    }

    func run() async throws {
        ExitSignals.install()
        try await CommandFailure.reporting {
            // A position is kept, whoever one is, because a name asks for that.
            let session = ClientSession(settings: try options.settings(), isKeeping: name != nil)
            do {
                try await session.run { client in try await tail(client) }
            } catch is OutputClosed {
            }
        }
    }

    private func tail(_ client: ChatClient) async throws {
        let output = StandardOutput()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await output.waitUntilClosed() }
            group.addTask {
                try await write(client, to: output)
                throw CommandFailure(CommandFailure.notSignedInCode, "you are no longer in the room \(room.id)")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Returns when the room is no longer the user's.
    private func write(_ client: ChatClient, to output: StandardOutput) async throws {
        let (room, info) = try await client.ownRoom(room.id)
        let names = UserNameCache(client)
        let head = LogPosition(seq: info.lastSeq, mark: info.mark)
        let events =
            if let name { room.events(as: name, after: head) } else if let after {
                room.events(after: after, mark: mark)
            } else { room.events(after: head.seq, mark: head.mark) }
        Terminal.printError("chat: reading \(room.id)")
        do {
            for try await event in events {
                let line = json ? TailLine.json(event) : await TailLine.text(event) { await names.name(of: $0) }
                try await output.write(line: line)
            }
            try Task.checkCancellation()
        } catch let error as ChatError where error.code == .logMismatch {
            let head = room.info.map { LogPosition(seq: $0.lastSeq, mark: $0.mark) }
            try await output.write(line: TailLine.reset(roomID: room.id, head: head))
            throw CommandFailure(CommandFailure.refusedCode, "the server has another log of the room \(room.id)")
        }
    }
}
