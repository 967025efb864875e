import ChatClient

/// The examples of README.md: they are compiled, so that they stay right.
enum Snippets {
    static func signIn(_ reason: TokenReason) async throws -> String { throw SignedOut() }

    static func quickStart() async throws {
        let client = try ChatClient(
            ChatConfiguration(url: "https://chat.example.org"),
            tokens: { reason in try await signIn(reason) },
            store: .file("/var/lib/my-app/chat"))

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            let message = try await client.room("lobby").send("Hello")
            print("stored as", message.messageID)
            group.cancelAll()
        }
    }

    static func show(_ client: ChatClient) async throws {
        for await rooms in client.roomLists {
            for room in rooms { print(room.name, room.unreadCount) }
        }
        for await status in client.connectionStates {
            print(status.state, status.reason, status.retryInMilliseconds ?? 0)
        }
        let room = client.room("lobby")
        for await messages in room.messages {
            for shown in messages.items { print(shown.key, shown.text ?? "", shown.post?.state.rawValue ?? "") }
        }
        try await room.loadOlder()
    }

    static func exactlyOnce(_ client: ChatClient, _ database: any Database) async throws {
        let (seq, mark) = try await database.position()
        for try await event in client.room("orders").events(after: seq, mark: mark) {
            // One transaction for what is done and how far it is done.
            try await database.apply(event, seq: event.seq, mark: event.mark)
        }
    }

    static func atLeastOnce(_ client: ChatClient) async throws {
        for try await event in client.room("orders").events(as: "invoicer") {
            switch event {
            case .message(let message): print(message.senderID, message.text ?? "")
            case .memberJoined(let change): print(change.userID, "joined")
            case .unknown(let event): print("newer than this program:", event.eventType)
            default: break
            }
        }
    }

    static func post(_ client: ChatClient) async throws {
        let post = client.room("lobby").post("Sent whatever happens", key: "order-17")
        try await post.kept()
        do {
            print(try await post.stored().seq)
        } catch let error as ChatError {
            print(error.code.rawValue, post.isCertain, await post.discard())
        }
    }

    static func sendFile(_ client: ChatClient, _ small: [UInt8]) async throws {
        let picture = OutgoingFile(path: "/home/me/cat.jpg", contentType: "image/jpeg", thumbnail: small)
        let post = try await client.room("lobby").sendFile(picture, caption: "Our cat", key: "cat-17") { progress in
            print(progress.sent, "of", progress.total)
        }
        if let file = try await post.stored().file {
            print(try await client.files([file.fileID]).first?.url ?? "")
        }
    }

    protocol Database: Sendable {
        func position() async throws -> (Int64, String?)
        func apply(_ event: ChatEvent, seq: Int64, mark: String?) async throws
    }
}
