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
        writer.object { writer in
            writer.member("userId", userID.rawValue)
            writer.member("username", username)
            writer.member("displayName", displayName)
            writer.member("createdAt", createdAt)
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
