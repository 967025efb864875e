import ChatClient
import Foundation

/// What the library shows, as the screen has it.
enum TalkContent {
    static func room(_ room: RoomInfo) -> TalkRoom {
        TalkRoom(id: room.roomID, name: room.name.isEmpty ? room.roomID : room.name, unread: room.unreadCount)
    }

    static func message(_ shown: ShownMessage, ownID: Int64) -> TalkMessage? {
        if let message = shown.message { return stored(message, key: shown.key) }
        guard let post = shown.post else { return nil }
        var message = TalkMessage(
            key: shown.key, senderID: ownID, time: time(milliseconds: post.createdAt),
            text: post.payload["text"]?.string ?? "[\(post.messageType)]")
        message.replyTo = post.replyToMessageID
        switch post.state {
        case .new, .queued, .sending: message.status = .waiting
        case .refused: message.status = .refused(code: post.errorCode ?? "refused")
        case .stored: message.messageID = post.messageID
        }
        return message
    }

    private static func stored(_ message: Message, key: String) -> TalkMessage {
        let text =
            message.isDeleted
            ? "(deleted)" : message.text ?? "[\(message.messageType)] \(message.contentJSON)"
        return TalkMessage(
            key: key, messageID: message.messageID, seq: message.seq, senderID: message.senderID,
            time: time(rfc3339: message.sentAt), text: text.nfc, replyTo: message.replyToMessageID,
            isEdited: message.isEdited && !message.isDeleted)
    }

    static func connection(_ status: ConnectionStatus) -> String {
        guard status.state == .offline else { return status.state.rawValue }
        guard let wait = status.retryInMilliseconds else { return "offline" }
        return "offline (\(status.reason.rawValue)), next try in \((wait + 999) / 1000) s"
    }

    // MARK: Times

    private static func time(rfc3339 text: String) -> String {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let date = try? Date(text, strategy: format) else { return "--:--" }
        return time(seconds: Int(date.timeIntervalSince1970))
    }

    private static func time(milliseconds: Int64) -> String { time(seconds: Int(milliseconds / 1000)) }

    /// Hours and minutes of this machine's time zone.
    private static func time(seconds: Int) -> String {
        var seconds = time_t(seconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        return two(parts.tm_hour) + ":" + two(parts.tm_min)
    }
}
