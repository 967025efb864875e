import ChatClient

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
