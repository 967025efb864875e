import CommonUtil

/// A registered user, as everyone signed in may see one.
public struct User: Equatable, Sendable, JSONEncodable {
    public let userID: UserID
    public let username: String
    public let displayName: String
    public let createdAt: Timestamp

    public init(userID: UserID, username: String, displayName: String, createdAt: Timestamp) {
        self.userID = userID
        self.username = username
        self.displayName = displayName
        self.createdAt = createdAt
    }

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

/// Whom a user lets add them to rooms, `direct` ones among them. Joining by oneself is another matter.
public enum WhoMayAdd: String, CaseIterable, Sendable {
    case everyone
    /// Those who share a room with them that is not archived.
    case shared
    case nobody
}

/// A user, as only the user sees it.
public struct UserProfile: Equatable, Sendable, JSONEncodable {
    public let user: User
    public let whoMayAdd: WhoMayAdd

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            user.writeMembers(to: &writer)
            writer.member("whoMayAdd", whoMayAdd.rawValue)
        }
    }
}

/// What checking a password needs of a user.
public struct Credentials: Sendable {
    public let userID: UserID
    public let username: String
    /// PHC string; see `PasswordHasher`.
    public let passwordHash: String
}
