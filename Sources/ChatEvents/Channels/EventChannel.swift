import CommonUtil

/// The Redis channel of an event, which determines the sockets that get it.
public enum EventChannel: Hashable, Sendable {
    /// The sockets of a room.
    case room(RoomID)
    /// The sockets of a user.
    case user(UserID)

    private static let roomPrefix = "chat:room:"
    private static let userPrefix = "chat:user:"

    /// Patterns for `PSUBSCRIBE` that match all channels.
    public static let patterns = [roomPrefix + "*"] + userPatterns
    /// Patterns for `PSUBSCRIBE` that match the channels of users.
    public static let userPatterns = [userPrefix + "*"]

    /// Reads a channel's name.
    /// - Returns: `nil` for another program's channel.
    public init?(name: String) {
        if let id = Self.rest(of: name, after: Self.roomPrefix), let roomID = RoomID(id) {
            self = .room(roomID)
        } else if let id = Self.rest(of: name, after: Self.userPrefix), let userID = UserID(text: String(id)) {
            self = .user(userID)
        } else {
            return nil
        }
    }

    // By bytes: that is exact, and each event has a channel.
    private static func rest(of name: String, after prefix: String) -> Substring? {
        guard name.utf8.starts(with: prefix.utf8) else { return nil }
        return name[name.utf8.index(name.startIndex, offsetBy: prefix.utf8.count)...]
    }

    /// The name on Redis.
    public var name: String {
        switch self {
        case .room(let roomID): Self.roomPrefix + roomID.rawValue
        case .user(let userID): Self.userPrefix + String(userID.rawValue)
        }
    }
}

/// The Redis channel of a server's messages to itself, by which it checks that its subscription delivers. The pattern
/// for rooms matches it, and no room can have such a name.
public struct CanaryChannel: Sendable {
    /// The name on Redis.
    public let name: String

    /// - Parameter serverID: unique among the servers.
    public init(serverID: String) { name = "chat:room:!canary:\(serverID)" }
}
