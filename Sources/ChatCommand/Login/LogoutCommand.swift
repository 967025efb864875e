import ArgumentParser
import ChatClient
import ChatLocalStack

/// `chat logout`: ends the kept sign-in.
struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Ends the kept sign-in, here and on the servers.",
        discussion: "Exit: 69 the server did not answer (you are still signed in), 77 not signed in.")

    @OptionGroup var server: ServerOption

    func run() async throws {
        ExitSignals.install()
        try await CommandFailure.reporting {
            let settings = try server.settings()
            let file = SignInFile(folder: settings.folder, url: settings.url)
            try await file.locked {
                guard let signIn = try file.load() else {
                    throw CommandFailure(CommandFailure.notSignedInCode, "not signed in")
                }
                do {
                    try await SignInCalls(settings).logout(signIn)
                } catch let error as ChatError where error.status == 401 {
                    // It has ended before.
                }
                try file.delete()
            }
            Terminal.printError("chat: signed out")
        }
    }
}
