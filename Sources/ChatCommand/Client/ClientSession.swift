import ChatClient
import ChatLocalStack

/// A client of the library for as long as a command runs.
struct ClientSession: Sendable {
    private enum Part<Result: Sendable>: Sendable {
        case result(Result)
        case other
    }

    let settings: ClientSettings
    /// Whether the library keeps its store in the client's folder.
    var isKeeping = false
    /// How long the command may take.
    var timeout: Duration?
    /// What was not done when that time is up.
    var lateness = "the server did not answer in time"
    /// Whether changes of the connection are written to standard error.
    var reports = true

    /// Runs a client and `body`; ends with `body`.
    /// - Throws: what `body` throws; ``CommandFailure`` where nobody is signed in or time is up.
    func run<Result: Sendable>(_ body: @escaping @Sendable (ChatClient) async throws -> Result) async throws -> Result {
        let client = try makeClient()
        return try await withThrowingTaskGroup(of: Part<Result>.self) { group in
            group.addTask {
                try await client.run()
                return .other
            }
            group.addTask {
                try await self.watch(client)
                return .other
            }
            group.addTask {
                for await error in client.errors() { self.report(error) }
                return .other
            }
            if let timeout {
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw CommandFailure.unavailable("\(lateness) (\(settings.url))")
                }
            }
            group.addTask { .result(try await body(client)) }
            defer { group.cancelAll() }
            while let part = try await group.next() {
                if case .result(let result) = part { return result }
            }
            throw CancellationError()
        }
    }

    private func makeClient() throws -> ChatClient {
        if case .signIn = settings.identity, try kept() == nil { throw CommandFailure.notSignedIn }
        let store: any ChatStore = isKeeping ? try .file(settings.storeFolder) : .memory
        if case .trusted(let user) = settings.identity {
            return ChatClient(
                try ChatConfiguration(url: settings.url), trustedUser: user, store: store, tls: settings.tls)
        }
        // The store is known to be this user's before there is a token.
        let user = settings.identity == .signIn ? try kept()?.userID : nil
        let source = TokenSource(settings)
        return ChatClient(
            try ChatConfiguration(url: settings.url, userID: user), tokens: { try await source.token($0) },
            store: store,
            tls: settings.tls)
    }

    private func kept() throws -> SignIn? { try SignInFile(folder: settings.folder, url: settings.url).load() }

    /// Reports when the connection is lost and when it is back.
    private func watch(_ client: ChatClient) async throws {
        var isLost = false
        for await status in client.connectionStates {
            switch status.state {
            case .signedOut:
                throw signedOut(status.reason)
            case .offline where !isLost && status.retryInMilliseconds != nil:
                isLost = true
                if reports { Terminal.printError("chat: no connection (\(status.reason.rawValue)); trying again") }
            case .live where isLost:
                isLost = false
                if reports { Terminal.printError("chat: connected") }
            default: break
            }
        }
    }

    private func signedOut(_ reason: ConnectionReason) -> CommandFailure {
        if reason == .otherUser {
            return CommandFailure(CommandFailure.notSignedInCode, "the sign-in is another user's now")
        }
        guard case .token = settings.identity else { return .notSignedIn }
        return CommandFailure(CommandFailure.notSignedInCode, "the token of CHAT_TOKEN was refused or has ended")
    }

    private func report(_ error: ChatError) {
        guard reports, !(error.cause is TokenNotRenewable) else { return }
        Terminal.printError("chat: \(TerminalText.clean(error.description))")
    }
}

extension ChatClient {
    /// Waits until the list of rooms is known as it is on the server.
    func untilLive() async {
        for await status in connectionStates where status.state == .live { break }
    }

    /// A room that the user is in.
    /// - Throws: ``CommandFailure``.
    func ownRoom(_ id: String) async throws -> (room: ChatRoom, info: RoomInfo) {
        await untilLive()
        let room = room(id)
        if let info = room.info { return (room, info) }
        do {
            _ = try await room.members()
        } catch let error as ChatError where error.status == 404 {
            throw CommandFailure.noRoom(id)
        } catch let error as ChatError where error.status != 403 {
            throw error
        }
        throw CommandFailure(CommandFailure.notSignedInCode, "you are not in the room \(id)")
    }
}
