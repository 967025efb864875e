import ChatClient

/// An event as one line.
enum TailLine {
    /// For programs: the event as the server sent it.
    static func json(_ event: ChatEvent) -> String { TerminalText.cleanJSON(JSONValue.object(event.json).text) }

    /// For people: `17 2026-11-30T09:00:00.000Z Alice: Hello`.
    static func text(_ event: ChatEvent, name: (Int64) async -> String) async -> String {
        let (actor, at, what) = await content(event, name)
        return TerminalText.clean([String(event.seq), at, actor + what].filter { !$0.isEmpty }.joined(separator: " "))
    }

    /// The server has another log, which ends at the position.
    static func reset(roomID: String, head: LogPosition?) -> String {
        var line: JSONObject = ["eventType": "reset", "roomId": .string(roomID)]
        if let head {
            line["seq"] = .number(String(head.seq))
            if let mark = head.mark { line["mark"] = .string(mark) }
        }
        return JSONValue.object(line).text
    }

    private static func content(
        _ event: ChatEvent, _ name: (Int64) async -> String
    ) async -> (actor: String, at: String, what: String) {
        switch event {
        case .message(let message): return (await name(message.senderID), message.sentAt, ": \(shown(message))")
        case .messageEdited(let message):
            let what = " edited message \(message.messageID): \(shown(message))"
            return (await name(message.senderID), message.sentAt, what)
        case .messageDeleted(let message): return ("", message.sentAt, "message \(message.messageID) was deleted")
        case .memberJoined(let change): return (await name(change.userID), change.at, " joined")
        case .memberLeft(let change): return (await name(change.userID), change.at, " left")
        case .memberRoleChanged(let change):
            return (await name(change.userID), change.at, " is \(change.role ?? "member") now")
        case .roomUpdated(let change): return ("", change.at, "the room is named \(change.name) now")
        case .roomArchived(let change): return ("", change.at, "the room was archived")
        case .unknown(let event): return ("", "", event.eventType)
        }
    }

    private static func shown(_ message: Message) -> String {
        if message.isDeleted { return "(deleted)" }
        return message.text ?? "[\(message.messageType)] \(message.contentJSON)"
    }
}
