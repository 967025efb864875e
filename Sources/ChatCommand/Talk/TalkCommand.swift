import ArgumentParser
import ChatClient

/// `chat talk`: rooms on a full screen.
struct TalkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "talk",
        abstract: "Reads and writes in rooms, on the full screen.",
        discussion: """
            What you send while there is no connection is kept with the sign-in and sent later, also after the program \
            has ended; with CHAT_TOKEN or --trusted-user nothing is kept.

            Keys: Enter send · PgUp, PgDn history · Esc newest · up, down choose a message to reply to · Tab the next room \
            with unread messages · Ctrl-N, Ctrl-P other rooms · Ctrl-R, Ctrl-X send a refused message again, give it up \
            · Ctrl-L draw again · Ctrl-C, Ctrl-D end.

            Exit: 0, 64 no terminal, 66 no such room, 77 not signed in or not in the room, 130 interrupted.
            """)

    @Argument(help: "The room's id (default: the one with the newest activity).")
    var room: RoomArgument?

    @OptionGroup var options: ClientOptions

    func run() async throws {
        try await CommandFailure.reporting {
            let settings = try options.settings()
            var session = ClientSession(settings: settings, isKeeping: settings.identity == .signIn)
            session.reports = false
            let ownID: Int64? =
                switch settings.identity {
                case .trusted(let user): user
                case .token: nil
                case .signIn: try SignInFile(folder: settings.folder, url: settings.url).load()?.userID
                }
            if settings.identity == .signIn, ownID == nil { throw CommandFailure.notSignedIn }
            let terminal = try TalkTerminal()
            defer { terminal.restore() }
            let code = try await session.run { client in
                try await TalkSession(client, terminal, roomID: room?.id, ownID: ownID).run()
            }
            terminal.restore()
            if code != 0 { throw ExitCode(code) }
        }
    }
}
