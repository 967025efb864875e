/// An event of a room's log.
public enum ChatEvent: Hashable, Sendable {
    /// A new message.
    case message(Message)
    /// A message has another content.
    case messageEdited(Message)
    /// A message has no content any more.
    case messageDeleted(Message)
    /// A user has become a member.
    case memberJoined(MemberChange)
    /// A user has left or was removed.
    case memberLeft(MemberChange)
    /// A member has another role.
    case memberRoleChanged(MemberChange)
    /// The room has another name.
    case roomUpdated(RoomChange)
    /// The room is read-only from now on.
    case roomArchived(RoomChange)
    /// A type that this version does not know.
    case unknown(UnknownEvent)

    /// Reads an event.
    /// - Returns: `nil` if it has no `seq`.
    public init?(json: JSONObject) {
        guard let base = UnknownEvent(json: json) else { return nil }
        switch base.eventType {
        case "message": self = Message(json: json).map(ChatEvent.message) ?? .unknown(base)
        case "message_edited": self = Message(json: json).map(ChatEvent.messageEdited) ?? .unknown(base)
        case "message_deleted": self = Message(json: json).map(ChatEvent.messageDeleted) ?? .unknown(base)
        case "member_joined": self = MemberChange(json: json).map(ChatEvent.memberJoined) ?? .unknown(base)
        case "member_left": self = MemberChange(json: json).map(ChatEvent.memberLeft) ?? .unknown(base)
        case "member_role_changed": self = MemberChange(json: json).map(ChatEvent.memberRoleChanged) ?? .unknown(base)
        case "room_updated": self = .roomUpdated(RoomChange(json: json))
        case "room_archived": self = .roomArchived(RoomChange(json: json))
        default: self = .unknown(base)
        }
    }

    /// All members as the server sent them.
    public var json: JSONObject {
        switch self {
        case .message(let message), .messageEdited(let message), .messageDeleted(let message): message.json
        case .memberJoined(let change), .memberLeft(let change), .memberRoleChanged(let change): change.json
        case .roomUpdated(let change), .roomArchived(let change): change.json
        case .unknown(let event): event.json
        }
    }

    /// The message of an event about one.
    public var message: Message? {
        switch self {
        case .message(let message), .messageEdited(let message), .messageDeleted(let message): message
        default: nil
        }
    }

    /// The place in the room's log.
    public var seq: Int64 { json["seq"]?.integer ?? 0 }
    /// Identifies the log that the `seq` belongs to.
    public var mark: String? { json["mark"]?.string }
    /// The room's id.
    public var roomID: String { json["roomId"]?.string ?? "" }
    /// The type as the server names it.
    public var eventType: String { json["eventType"]?.string ?? "" }

    var position: LogPosition { LogPosition(seq: seq, mark: mark) }
}

extension ChatEvent: Codable {
    /// Reads an event as the server sends it.
    public init(from decoder: any Decoder) throws {
        let value = try JSONValue(from: decoder)
        guard let object = value.object, let event = ChatEvent(json: object) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "No event"))
        }
        self = event
    }

    /// Writes the event as the server sent it.
    public func encode(to encoder: any Encoder) throws { try JSONValue.object(json).encode(to: encoder) }
}

/// A change of who is in a room.
public struct MemberChange: Hashable, Sendable {
    /// All members as the server sent them.
    public let json: JSONObject
    /// The user whose membership changed.
    public let userID: Int64

    init?(json: JSONObject) {
        guard let userID = json["userId"]?.integer else { return nil }
        self.json = json
        self.userID = userID
    }

    /// `owner`, `admin` or `member`.
    public var role: String? { json["role"]?.string }
    /// The user who made the change.
    public var actorID: Int64? { json["actorId"]?.integer }
    /// When, RFC 3339.
    public var at: String { json["at"]?.string ?? "" }
}

/// A change of a room itself.
public struct RoomChange: Hashable, Sendable {
    /// All members as the server sent them.
    public let json: JSONObject
    /// The name from now on.
    public var name: String { json["name"]?.string ?? "" }
    /// The user who made the change.
    public var actorID: Int64? { json["actorId"]?.integer }
    /// When, RFC 3339.
    public var at: String { json["at"]?.string ?? "" }
}

/// An event of a type that this version does not know.
public struct UnknownEvent: Hashable, Sendable {
    /// All members as the server sent them.
    public let json: JSONObject
    /// The type as the server names it.
    public var eventType: String { json["eventType"]?.string ?? "" }

    init?(json: JSONObject) {
        guard let seq = json["seq"]?.integer, seq > 0, LogPosition.isValid(seq) else { return nil }
        self.json = json
    }
}

/// A place in a log, and which log it is.
public struct LogPosition: Hashable, Sendable, Codable {
    /// The `seq` of the last event before the place.
    public let seq: Int64
    /// The mark of that event.
    public let mark: String?

    /// Creates a position.
    public init(seq: Int64, mark: String? = nil) {
        self.seq = seq
        self.mark = mark
    }

    /// Whether a number is a `seq`, or 0. The limit is that of integers in JavaScript.
    static func isValid(_ seq: Int64?) -> Bool { seq.map { (0..<1 << 53).contains($0) } ?? false }

    init?(json: JSONValue?) {
        guard let seq = json?["seq"]?.integer, Self.isValid(seq) else { return nil }
        self.init(seq: seq, mark: json?["mark"]?.string)
    }

    var json: JSONObject {
        var object: JSONObject = ["seq": JSONValue(seq)]
        if let mark { object["mark"] = .string(mark) }
        return object
    }
}
