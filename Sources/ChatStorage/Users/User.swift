import CommonUtil

/// A registered user, as other users see it.
public struct User: Equatable, Sendable, JSONEncodable {
    public let userID: UserID
    public let username: String
    public let displayName: String
    public let createdAt: Timestamp

    /// Describes a user.
    public init(userID: UserID, username: String, displayName: String, createdAt: Timestamp) {
        self.userID = userID
        self.username = username
        self.displayName = displayName
        self.createdAt = createdAt
    }

    /// Writes `{userId, username, displayName, createdAt}`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writeMembers(to: &$0) }
    }

    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.member("userId", userID.rawValue)
        writer.member("username", username)
        writer.member("displayName", displayName)
        writer.member("createdAt", createdAt)
    }
}

/// Who may add a user to rooms, `direct` ones included. It does not limit joining.
public enum WhoMayAdd: String, CaseIterable, Sendable {
    /// Every user.
    case everyone
    /// Users who share a room with them that is not archived.
    case shared
    /// No one.
    case nobody
}

/// A user's own profile.
public struct UserProfile: Equatable, Sendable, JSONEncodable {
    public let user: User
    public let whoMayAdd: WhoMayAdd

    /// Writes the user with `whoMayAdd`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            user.writeMembers(to: &writer)
            writer.member("whoMayAdd", whoMayAdd.rawValue)
        }
    }
}

/// The stored credentials of a user.
public struct Credentials: Sendable {
    public let userID: UserID
    public let username: String
    /// PHC string; see `PasswordHasher`.
    public let passwordHash: String
}
