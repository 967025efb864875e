import ArgumentParser
import ChatClient
import ChatLocalStack

/// Why a command of a chat's user ends without success: one line for people, and the exit code (sysexits.h) for scripts.
struct CommandFailure: Error, Equatable {
    let exitCode: Int32
    let message: String

    init(_ exitCode: Int32, _ message: String) {
        self.exitCode = exitCode
        self.message = message
    }

    static let refusedCode: Int32 = 65
    static let noRoomCode: Int32 = 66
    static let unavailableCode: Int32 = 69
    static let inUseCode: Int32 = 75
    static let notSignedInCode: Int32 = 77

    static func usage(_ message: String) -> CommandFailure { CommandFailure(64, message) }
    static func unavailable(_ message: String) -> CommandFailure { CommandFailure(unavailableCode, message) }
    static func noRoom(_ id: String) -> CommandFailure { CommandFailure(noRoomCode, "there is no room \(id)") }
    static let notSignedIn = CommandFailure(notSignedInCode, "not signed in; use `chat login`, or set CHAT_TOKEN")

    /// The failure that an error of the library means.
    init(_ error: ChatError) {
        let text = TerminalText.clean(error.description)
        switch error.code {
        case .signedOut: self = .notSignedIn
        case .inUse: self.init(Self.inUseCode, text)
        case .roomNotFound: self.init(Self.noRoomCode, text)
        case .notAMember: self.init(Self.notSignedInCode, text)
        case .invalid: self.init(64, text)
        case .network, .timeout, .closed, .storeFailed: self.init(Self.unavailableCode, text)
        default: self.init(error.isTemporary ? Self.unavailableCode : Self.refusedCode, text)
        }
    }

    /// Runs a command, writes why it failed to standard error, and ends with the exit code.
    static func reporting(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let failure as CommandFailure {
            Terminal.printError("chat: \(failure.message)")
            throw ExitCode(failure.exitCode)
        } catch let error as ChatError {
            let failure = CommandFailure(error)
            Terminal.printError("chat: \(failure.message)")
            throw ExitCode(failure.exitCode)
        }
    }
}

extension ChatError.Code {
    /// The user is not in the room.
    static let notAMember: ChatError.Code = "not_a_member"
}
