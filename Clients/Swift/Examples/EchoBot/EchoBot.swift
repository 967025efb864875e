import ChatClient

/// Answers every message of a room once, whatever is killed in between: `EchoBot http://localhost:8080 42 room-123`
/// against servers of `trusted` mode.
@main
struct EchoBot {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let me = Int64(arguments[2]) else { fatalError("EchoBot URL USER ROOM") }
        let client = try ChatClient(
            ChatConfiguration(url: arguments[1]), trustedUser: me, store: .file(".echo-bot"))
        let room = client.room(arguments[3])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            _ = try await client.joinRoom(room.id)
            for try await event in room.events(as: "echo") {
                guard case .message(let message) = event, message.senderID != me, let text = message.text else {
                    continue
                }
                // The event may come again after a crash; the key makes the answer the same message.
                try await room.send("You said: \(text)", key: "echo-\(message.messageID)")
            }
            group.cancelAll()
        }
    }
}
