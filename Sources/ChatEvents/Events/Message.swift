import CommonUtil

/// The type of a message, which determines its payload.
public enum MessageType: String, CaseIterable, Sendable {
    case text, image, file, system, video, audio
    case richContent = "rich_content"
    case location, sticker

    /// Whether the payload may name a file in place of a URL.
    public var mayNameFile: Bool {
        switch self {
        case .image, .file, .video, .audio: true
        case .text, .system, .richContent, .location, .sticker: false
        }
    }
}

/// The status of a message. The other values of the contract are reserved.
public enum MessageStatus: String, Sendable {
    case sent
}

/// A message with its present content: edits have replaced it, a deletion has emptied it.
public struct Message: Equatable, Sendable {
    /// The `contentJson` of a deleted message.
    public static let emptyContent = "{}"

    /// Unique among the messages of all rooms.
    public let messageID: MessageID
    public let roomID: RoomID
    /// The `seq` of the message's first event.
    public let seq: Seq
    /// Who posted it; stays when that user leaves the room.
    public let senderID: UserID
    /// Decides which members the payload must have.
    public let type: MessageType
    /// The payload's canonical JSON text.
    public let contentJSON: String
    /// When it was stored, by the clock of the database; an imported one has the time of the import's line.
    public let sentAt: Timestamp
    /// The time of the last edit or of the deletion.
    public let updatedAt: Timestamp?
    /// The message that this one replies to.
    public let replyToMessageID: MessageID?
    /// The sender's idempotency key.
    public let clientMessageID: String?
    /// Whether the sender has replaced the content since.
    public let isEdited: Bool
    /// Whether it is deleted: it keeps its place in the log, and its content is empty.
    public let isDeleted: Bool

    /// Describes a message; a deleted one gets ``emptyContent``.
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
    /// Writes the contract's `Message`, as in REST responses.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writeMembers(to: &writer, seq: seq, mark: mark)
            writer.member(EventKey.updatedAt, ifPresent: updatedAt)
        }
    }

    /// Writes the message for a server whose key posted it, with the key's own `clientMessageId`, which only it sees.
    public func write(to writer: inout JSONWriter, keysClientMessageID: String?) {
        writer.object { writer in
            writeMembers(to: &writer, seq: seq, mark: mark)
            writer.member(EventKey.updatedAt, ifPresent: updatedAt)
            writer.member(EventKey.clientMessageID, ifPresent: keysClientMessageID)
        }
    }

    /// Writes the members that REST responses and events share.
    func writeMembers(to writer: inout JSONWriter, seq: Seq, mark: EventMark) {
        writer.member(EventKey.messageID, messageID.rawValue)
        writer.member(EventKey.roomID, roomID.rawValue)
        writer.member(EventKey.seq, seq)
        writer.member(mark: mark)
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

/// A message that has just been stored, with its JSON.
///
/// The event for sockets and the response to the sender are the same text but for its beginning, so it is encoded once.
/// A class, since a message has many fields and is passed from thread to thread.
public final class PostedMessage: Sendable {
    /// The stored message.
    public let message: Message
    /// The JSON of its ``event``.
    public let eventJSON: [UInt8]

    /// Encodes the message.
    public init(_ message: Message) {
        self.message = message
        eventJSON = Self.event(message).jsonBytes
    }

    /// The message's event in the room's log.
    public var event: RoomEvent { Self.event(message) }

    /// The JSON of the message, as in REST responses.
    public var messageJSON: [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(eventJSON.count)
        json.append(UInt8(ascii: "{"))
        json.append(contentsOf: eventJSON[Self.typePrefix.count...])
        return json
    }

    private static func event(_ message: Message) -> RoomEvent {
        RoomEvent(roomID: message.roomID, seq: message.seq, change: .message(message))
    }

    /// `{"eventType":"message",`
    private static let typePrefix: [UInt8] = {
        var writer = JSONWriter()
        writer.object { $0.member(EventKey.eventType, EventType.message.rawValue) }
        return writer.bytes.dropLast() + [UInt8(ascii: ",")]
    }()
}

extension PostedMessage: Equatable {
    /// Compares the messages; their JSON follows from them.
    public static func == (a: PostedMessage, b: PostedMessage) -> Bool { a.message == b.message }
}
