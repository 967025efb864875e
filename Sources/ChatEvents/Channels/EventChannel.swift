import CommonUtil

/// Where on Redis an event is published, and so to whose sockets it goes.
public enum EventChannel: Hashable, Sendable {
    case room(RoomID)
    case user(UserID)

    private static let roomPrefix = "chat:room:"
    private static let userPrefix = "chat:user:"

    /// Patterns for `PSUBSCRIBE` that match every channel.
    public static let patterns = [roomPrefix + "*"] + userPatterns
    /// The one for users alone.
    public static let userPatterns = [userPrefix + "*"]

    /// - Returns: `nil` for a channel that is none of ours.
    public init?(name: String) {
        if name.hasPrefix(Self.roomPrefix), let roomID = RoomID(name.dropFirst(Self.roomPrefix.count)) {
            self = .room(roomID)
        } else if name.hasPrefix(Self.userPrefix),
            let userID = UserID(text: String(name.dropFirst(Self.userPrefix.count)))
        {
            self = .user(userID)
        } else {
            return nil
        }
    }

    public var name: String {
        switch self {
        case .room(let roomID): Self.roomPrefix + roomID.rawValue
        case .user(let userID): Self.userPrefix + String(userID.rawValue)
        }
    }
}
