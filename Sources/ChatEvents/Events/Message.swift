import CommonUtil

/// What kind of payload a message carries.
public enum MessageType: String, CaseIterable, Sendable {
    case text, image, file, system, video, audio
    case richContent = "rich_content"
    case location, sticker
}

/// How far a message has come. The other words of the contract are reserved.
public enum MessageStatus: String, Sendable {
    case sent
}

/// A message as it stands in its room's log now: edits have replaced its content, a deletion has emptied it.
public struct Message: Equatable, Sendable {
    /// What a deleted message's `contentJson` reads.
    public static let emptyContent = "{}"

    public let messageID: MessageID
    public let roomID: RoomID
    /// The place of the message's first event.
    public let seq: Seq
    public let senderID: UserID
    public let type: MessageType
    /// The payload's canonical JSON text.
    public let contentJSON: String
    public let sentAt: Timestamp
    public let updatedAt: Timestamp?
    public let replyToMessageID: MessageID?
    public let clientMessageID: String?
    public let isEdited: Bool
    public let isDeleted: Bool

    public init(
        messageID: MessageID, roomID: RoomID, seq: Seq, senderID: UserID, type: MessageType, contentJSON: String,
        sentAt: Timestamp, updatedAt: Timestamp? = nil, replyToMessageID: MessageID? = nil,
        clientMessageID: String? = nil, isEdited: Bool = false, isDeleted: Bool = false
    ) {
        self.messageID = messageID
        self.roomID = roomID
        self.seq = seq
        self.senderID = senderID
        self.type = type
        self.contentJSON = isDeleted ? Self.emptyContent : contentJSON
        self.sentAt = sentAt
        self.updatedAt = updatedAt
        self.replyToMessageID = replyToMessageID
        self.clientMessageID = clientMessageID
        self.isEdited = isEdited
        self.isDeleted = isDeleted
    }
}

extension Message: JSONEncodable {
    /// The contract's `Message`, as REST answers show it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writeMembers(to: &writer, seq: seq)
            writer.member(EventKey.updatedAt, ifPresent: updatedAt)
        }
    }

    /// The members that the answer and the events have in common.
    func writeMembers(to writer: inout JSONWriter, seq: Seq) {
        writer.member(EventKey.messageID, messageID.rawValue)
        writer.member(EventKey.roomID, roomID.rawValue)
        writer.member(EventKey.seq, seq)
        writer.member(EventKey.senderID, senderID.rawValue)
        writer.member(EventKey.messageType, type.rawValue)
        writer.member(EventKey.contentJSON, contentJSON)
        writer.member(EventKey.status, MessageStatus.sent.rawValue)
        writer.member(EventKey.sentAt, sentAt)
        writer.member(EventKey.replyToMessageID, ifPresent: replyToMessageID?.rawValue)
        writer.member(EventKey.clientMessageID, ifPresent: clientMessageID)
        writer.member(EventKey.isEdited, isEdited)
        writer.member(EventKey.isDeleted, isDeleted)
    }
}
