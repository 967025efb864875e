import ChatEvents
import ChatStorage
import CommonUtil

/// What the hook is asked: whether a user's post, or edit, may be stored.
struct HookRequest: JSONEncodable {
    let roomID: RoomID
    let type: MessageType
    /// Canonical JSON text of the payload.
    let contentJSON: String
    let replyToMessageID: MessageID?
    /// The message that is edited; `nil` for a post.
    let editOf: MessageID?
    let userID: UserID
    /// The user; `nil` for one that is not registered (`trusted` mode).
    let user: User?

    /// Asks about a post.
    init(_ draft: MessageDraft, user: User?) {
        roomID = draft.roomID
        type = draft.type
        contentJSON = draft.contentJSON
        replyToMessageID = draft.replyToMessageID
        editOf = nil
        userID = draft.senderID
        self.user = user
    }

    /// Asks about an edit by the message's sender.
    init(_ message: Message, newContent contentJSON: String, user: User?) {
        roomID = message.roomID
        type = message.type
        self.contentJSON = contentJSON
        replyToMessageID = message.replyToMessageID
        editOf = message.messageID
        userID = message.senderID
        self.user = user
    }

    /// Writes `{roomId, messageType, payload, replyToMessageId?, editOf?, user}`; of a user that is not registered there is
    /// only `userId`.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.roomID, roomID.rawValue)
            writer.member(EventKey.messageType, type.rawValue)
            writer.key(MessagePayload.field)
            writer.raw(contentJSON.utf8)
            writer.member(EventKey.replyToMessageID, ifPresent: replyToMessageID?.rawValue)
            writer.member("editOf", ifPresent: editOf?.rawValue)
            writer.key("user")
            if let user {
                user.write(to: &writer)
            } else {
                writer.object { $0.member(EventKey.userID, userID.rawValue) }
            }
        }
    }
}
