/// A room of the user as the list of rooms has it.
public struct RoomInfo: Hashable, Sendable {
    /// All members as the server has them.
    public internal(set) var json: JSONObject

    /// Reads a room.
    /// - Returns: `nil` if it has no `roomId`.
    public init?(json: JSONObject) {
        guard json["roomId"]?.string != nil else { return nil }
        self.json = json
    }

    /// The room's id.
    public var roomID: String { json["roomId"]?.string ?? "" }
    /// The name.
    public var name: String { json["name"]?.string ?? "" }
    /// `direct`, `group`, `public` or `private`.
    public var type: String { json["type"]?.string ?? "" }
    /// The user who owns it.
    public var ownerID: Int64? { json["ownerId"]?.integer }
    /// Number of members.
    public var memberCount: Int64 { json["memberCount"]?.integer ?? 0 }
    /// The last event of its log.
    public var lastSeq: Int64 { json["lastSeq"]?.integer ?? 0 }
    /// The mark of that event.
    public var mark: String? { json["mark"]?.string }
    /// The last message.
    public var lastMessage: Message? { json["lastMessage"]?.object.flatMap(Message.init(json:)) }
    /// The last event that the user has read.
    public var lastReadSeq: Int64 { json["lastReadSeq"]?.integer ?? 0 }
    /// Number of messages of others after that; 1,000 stands for more.
    public var unreadCount: Int64 { min(max(json["unreadCount"]?.integer ?? 0, 0), 1000) }
    /// Whether nobody can write in it any more.
    public var isArchived: Bool { json["archivedAt"]?.string != nil }

    var head: LogPosition { LogPosition(seq: lastSeq, mark: mark) }
}

/// A user.
public struct UserProfile: Hashable, Sendable, Codable {
    /// The id.
    public let userID: Int64
    /// The name to sign in with.
    public let username: String?
    /// The name that others see.
    public let displayName: String

    enum CodingKeys: String, CodingKey { case userID = "userId", username, displayName }

    init?(json: JSONObject) {
        guard let userID = json["userId"]?.integer else { return nil }
        self.userID = userID
        username = json["username"]?.string
        displayName = json["displayName"]?.string ?? ""
    }
}

/// A member of a room.
public struct Member: Hashable, Sendable {
    /// All members as the server has them.
    public let json: JSONObject
    /// The user's id.
    public let userID: Int64
    /// `owner`, `admin` or `member`.
    public var role: String { json["role"]?.string ?? "member" }

    init?(json: JSONObject) {
        guard let userID = json["userId"]?.integer else { return nil }
        self.json = json
        self.userID = userID
    }
}

/// A part of a list.
public struct Page<Item: Sendable>: Sendable {
    /// The items.
    public let items: [Item]
    /// The cursor of the next part; `nil` if this is the last.
    public let nextCursor: String?
}
