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
