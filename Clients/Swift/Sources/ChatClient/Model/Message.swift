/// A message as it is now, or as an event has it.
public struct Message: Hashable, Sendable {
    /// All members as the server sent them, those that this version does not know too.
    public private(set) var json: JSONObject

    /// The id of the message.
    public let messageID: Int64
    /// The place of the message in the room's log; of an edit or deletion, that of the change.
    public let seq: Int64
    /// The user who wrote it.
    public let senderID: Int64

    /// Reads a message.
    /// - Returns: `nil` if one of the three numbers is missing.
    public init?(json: JSONObject) {
        guard let messageID = json["messageId"]?.integer, let seq = json["seq"]?.integer,
            let senderID = json["senderId"]?.integer
        else { return nil }
        self.json = json
        (self.messageID, self.seq, self.senderID) = (messageID, seq, senderID)
    }

    /// The room's id.
    public var roomID: String { json["roomId"]?.string ?? "" }
    /// Identifies the log that the `seq` belongs to.
    public var mark: String? { json["mark"]?.string }
    /// `text`, `image`, …
    public var messageType: String { json["messageType"]?.string ?? "" }
    /// The payload as JSON text.
    public var contentJSON: String { json["contentJson"]?.string ?? "{}" }
    /// When it was stored, RFC 3339.
    public var sentAt: String { json["sentAt"]?.string ?? "" }
    /// The message that this one answers.
    public var replyToMessageID: Int64? { json["replyToMessageId"]?.integer }
    /// The key that the sender gave it.
    public var clientMessageID: String? { json["clientMessageId"]?.string }
    /// Whether it was edited.
    public var isEdited: Bool { json["isEdited"]?.bool ?? false }
    /// Whether it was deleted; then it has no content.
    public var isDeleted: Bool { json["isDeleted"]?.bool ?? false }
    /// The payload; `nil` if it is not JSON.
    public var content: JSONValue? { try? JSONValue(parsing: contentJSON) }
    /// The text of a text message.
    public var text: String? { content?["text"]?.string }
    /// The uploaded file that it names.
    public var file: MessageFile? { MessageFile(payload: content) }

    /// The same message in its place, with the content that a change gave it.
    func changed(by change: Message) -> Message {
        var message = self
        for name in ["contentJson", "isEdited", "isDeleted", "updatedAt", "messageType"] {
            if let value = change.json[name] { message.json[name] = value }
        }
        return message
    }

    /// Whether it is known to be an earlier state of a message. Times have one textual form, so they compare as texts.
    func isOlder(than other: Message) -> Bool {
        guard let own = json["updatedAt"]?.string, let others = other.json["updatedAt"]?.string else { return false }
        return own < others
    }

    /// Without the type of its event.
    var withoutEventType: Message {
        var message = self
        message.json["eventType"] = nil
        return message
    }
}

extension Message: Codable {
    /// Reads a message as the server sends it.
    public init(from decoder: any Decoder) throws {
        let value = try JSONValue(from: decoder)
        guard let object = value.object, let message = Message(json: object) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "No message"))
        }
        self = message
    }

    /// Writes the message as the server sent it.
    public func encode(to encoder: any Encoder) throws { try JSONValue.object(json).encode(to: encoder) }
}

/// The content of a message to send: a text, or a payload of another type.
public struct MessageContent: Sendable, Hashable, ExpressibleByStringLiteral {
    /// `text`, `image`, …
    public var messageType: String
    /// The payload by that type.
    public var payload: JSONValue
    /// The message that this one answers.
    public var replyToMessageID: Int64?

    /// Creates the content of a text message.
    public init(text: String, replyTo messageID: Int64? = nil) {
        self.init(messageType: "text", payload: ["text": .string(text)], replyTo: messageID)
    }

    /// Creates any content.
    public init(messageType: String, payload: JSONValue, replyTo messageID: Int64? = nil) {
        self.messageType = messageType
        self.payload = payload
        replyToMessageID = messageID
    }

    /// Creates the content of a text message.
    public init(stringLiteral text: String) { self.init(text: text) }
}
