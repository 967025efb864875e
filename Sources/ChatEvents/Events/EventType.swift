/// The `eventType` of an event.
public enum EventType: String, CaseIterable, Sendable {
    // In the room's log, with a `seq`.
    case message
    case messageEdited = "message_edited"
    case messageDeleted = "message_deleted"
    case memberJoined = "member_joined"
    case memberLeft = "member_left"
    case memberRoleChanged = "member_role_changed"
    case roomUpdated = "room_updated"
    case roomArchived = "room_archived"
    // In the feed of changes, without a `seq` (``RoomCreated``).
    case roomCreated = "room_created"
    // Not stored, without a `seq`.
    case read
    case typing
    // From a server to one of its sessions.
    case ready
    case caughtUp = "caught_up"
    case tokenExpiring = "token_expiring"
    case reconnect
    case pong
    case error
    // To the sessions of a user.
    case rooms
    case roomReset = "room_reset"
    case roomSkipped = "room_skipped"
    case synced
    case roomAdded = "room_added"
    case roomRemoved = "room_removed"
    case roomChanged = "room_changed"
    case cursor
    // Between servers, on the channel of a user (``UserChange``).
    case userState = "user_state"
}

/// A member's role, which determines the member's rights in a room.
public enum MemberRole: String, CaseIterable, Sendable {
    case owner, admin, member
}

/// The JSON keys of the contract's events, and of the REST bodies that share them.
public enum EventKey {
    public static let actorID = "actorId"
    public static let afterMs = "afterMs"
    public static let at = "at"
    public static let change = "change"
    public static let clientMessageID = "clientMessageId"
    public static let code = "code"
    public static let contentJSON = "contentJson"
    public static let cursor = "cursor"
    public static let eventType = "eventType"
    public static let expiresAt = "expiresAt"
    /// The member of a payload that names a file.
    public static let fileID = "fileId"
    public static let heartbeatSeconds = "heartbeatSeconds"
    public static let isAll = "isAll"
    public static let isDeleted = "isDeleted"
    public static let isEdited = "isEdited"
    public static let isLast = "isLast"
    public static let lastReadSeq = "lastReadSeq"
    public static let lastSeq = "lastSeq"
    public static let mark = "mark"
    public static let maxMissed = "maxMissed"
    public static let memberCount = "memberCount"
    public static let members = "members"
    public static let message = "message"
    public static let messageID = "messageId"
    public static let messageType = "messageType"
    public static let more = "more"
    public static let name = "name"
    public static let reason = "reason"
    public static let removed = "removed"
    public static let replyToMessageID = "replyToMessageId"
    public static let role = "role"
    public static let room = "room"
    public static let roomID = "roomId"
    public static let rooms = "rooms"
    public static let senderID = "senderId"
    public static let sentAt = "sentAt"
    public static let seq = "seq"
    public static let sessionID = "sessionId"
    public static let status = "status"
    public static let token = "token"
    public static let type = "type"
    public static let typing = "typing"
    public static let unreadCount = "unreadCount"
    public static let updatedAt = "updatedAt"
    public static let userID = "userId"
    public static let version = "version"
}
