import ArgumentParser
import ChatClient

/// `chat rooms`: the user's rooms.
struct RoomsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rooms",
        abstract: "Lists your rooms, newest activity first.",
        discussion: "Exit: 69 the server did not answer within 10 s, 77 not signed in.")

    @Flag(help: "Write each room as a line of JSON.")
    var json = false

    @OptionGroup var options: ClientOptions

    func run() async throws {
        ExitSignals.install()
        try await CommandFailure.reporting {
            var session = ClientSession(settings: try options.settings(), timeout: .seconds(10))
            session.reports = false
            let rooms = try await session.run { client in
                await client.untilLive()
                try Task.checkCancellation()
                return client.roomLists.value
            }
            let output = StandardOutput()
            let lines = json ? rooms.map(RoomTable.json) : RoomTable.lines(rooms)
            do {
                for line in lines { try await output.write(line: line) }
            } catch is OutputClosed {
            }
        }
    }
}

/// The list of rooms as text.
enum RoomTable {
    static func json(_ room: RoomInfo) -> String { TerminalText.cleanJSON(JSONValue.object(room.json).text) }

    /// One line a room: id, type, unread messages, name.
    static func lines(_ rooms: [RoomInfo]) -> [String] {
        let width = rooms.map(\.roomID.count).max() ?? 0
        return rooms.map { room in
            let unread = room.unreadCount >= 1000 ? "999+" : room.unreadCount > 0 ? String(room.unreadCount) : "-"
            return [
                padded(room.roomID, width), padded(room.type, 7), padded(unread, 4),
                TerminalText.clean(room.name) + (room.isArchived ? " (archived)" : ""),
            ].joined(separator: "  ")
        }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
