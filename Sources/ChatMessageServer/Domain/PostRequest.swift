import ChatEvents
import ChatStorage
import CommonUtil

/// What `POST /messages` asks for: `{roomId, messageType, payload, replyToMessageId?, clientMessageId?}`.
enum PostRequest {
    static let clientMessageIDLength = 1...64

    /// - Throws: `validation_failed` naming each field at fault.
    static func draft(_ fields: FieldReader, senderID: UserID) throws(ChatError) -> MessageDraft {
        var fields = fields
        let roomID = fields.roomID(EventKey.roomID)
        let type = fields.choice(EventKey.messageType, MessageType.self)
        let payload = fields.object(MessagePayload.field)
        let replyTo = fields.optionalNumericID(EventKey.replyToMessageID, MessageID.self)
        let clientMessageID = fields.optionalString(EventKey.clientMessageID, length: clientMessageIDLength)
        if type == .system { fields.note(EventKey.messageType, "system messages are the platform's own") }
        try fields.finish()
        guard let roomID, let type, let payload else { throw fields.incomplete }
        return MessageDraft(
            roomID: roomID, senderID: senderID, type: type,
            contentJSON: try MessagePayload.canonicalText(payload, type: type),
            replyToMessageID: replyTo, clientMessageID: clientMessageID)
    }
}
