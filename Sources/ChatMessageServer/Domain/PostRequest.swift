import ChatEvents
import ChatStorage
import CommonUtil

/// The body of `POST /messages`: `{roomId, messageType, payload, replyToMessageId?, clientMessageId?}`, with a server's key
/// also `senderId?`.
enum PostRequest {
    /// Length of a `clientMessageId`, in Unicode scalars.
    static let clientMessageIDLength = 1...64

    /// Reads a user's post.
    /// - Throws: `validation_failed`, which names each invalid field.
    static func draft(_ fields: FieldReader, senderID: UserID) throws(ChatError) -> MessageDraft {
        try draft(fields, senderID: senderID, maySendSystem: false)
    }

    /// Reads the sender of a post with a server's key that acts for no user.
    /// - Returns: `nil` for the installation.
    /// - Throws: `validation_failed`.
    static func sender(_ fields: FieldReader) throws(ChatError) -> UserReference? {
        var fields = fields
        let sender = fields.optionalUser(EventKey.senderID, external: true)
        try fields.finish()
        return sender
    }

    /// Reads a post with a server's key. Only the installation posts `system` messages.
    /// - Throws: `validation_failed`, which names each invalid field.
    static func draft(_ fields: FieldReader, ofKeyFor senderID: UserID?) throws(ChatError) -> MessageDraft {
        try draft(fields, senderID: senderID ?? .installation, maySendSystem: senderID == nil)
    }

    private static func draft(
        _ fields: FieldReader, senderID: UserID, maySendSystem: Bool
    ) throws(ChatError) -> MessageDraft {
        var fields = fields
        let roomID = fields.roomID(EventKey.roomID)
        let type = fields.messageType(maySendSystem: maySendSystem)
        let payload = fields.object(MessagePayload.field)
        let replyTo = fields.optionalNumericID(EventKey.replyToMessageID, MessageID.self)
        let clientMessageID = fields.optionalString(EventKey.clientMessageID, length: clientMessageIDLength)
        try fields.finish()
        guard let roomID, let type, let payload else { throw fields.incomplete }
        return MessageDraft(
            roomID: roomID, senderID: senderID, type: type,
            contentJSON: try MessagePayload.canonicalText(payload, type: type),
            fileID: MessagePayload.fileID(payload, type: type), replyToMessageID: replyTo,
            clientMessageID: clientMessageID)
    }
}
