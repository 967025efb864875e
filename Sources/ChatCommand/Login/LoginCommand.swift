import ArgumentParser
import ChatClient
import ChatLocalStack
import Foundation

/// `chat login`: signs in and keeps the sign-in.
struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Signs in, and keeps the sign-in for the other commands.",
        discussion: """
            What is not given is asked for on the terminal. The sign-in is kept in CHAT_CLIENT_DIR (default: below your \
            folder for data), readable by you alone.

            Exit: 65 refused, 69 the server did not answer within 10 s, 77 wrong name or password.
            """)

    @Argument(help: "The name to sign in with.")
    var user: String?

    @Flag(help: "Read the password from the first line of standard input.")
    var passwordStdin = false

    @OptionGroup var server: ServerOption

    func run() async throws {
        ExitSignals.install()
        try await CommandFailure.reporting {
            let settings = try server.settings()
            let user =
                if let user { user } else { try await ask("User: ", isHidden: false) }
            let file = SignInFile(folder: settings.folder, url: settings.url)
            let calls = SignInCalls(settings)
            let signIn: SignIn
            do {
                signIn = try await calls.login(user, password: try await password())
            } catch let error as ChatError where error.status == 401 {
                throw CommandFailure(CommandFailure.notSignedInCode, "wrong name or password")
            }
            try await file.locked {
                let former = try file.load()
                try file.save(signIn)
                // Nobody could end it any more. Where it fails it ends by itself.
                if let former { try? await calls.logout(former) }
            }
            Terminal.printError("chat: signed in as \(TerminalText.clean(user)) at \(settings.url)")
        }
    }

    private func password() async throws -> String {
        guard passwordStdin else { return try await ask("Password: ", isHidden: true) }
        let line = try await BlockingWork("standard input").run { TerminalPrompt.readLine(STDIN_FILENO) }
        guard let line, !line.isEmpty else { throw CommandFailure.usage("standard input has no password") }
        return line
    }

    private func ask(_ question: String, isHidden: Bool) async throws -> String {
        let answer = try await TerminalPrompt.ask(
            question, isHidden: isHidden, advice: "name the user and give --password-stdin")
        guard let answer else { throw CommandFailure(CommandFailure.notSignedInCode, "no answer was given") }
        return answer
    }
}
