import CommonUtil

/// A user, as other users see it.
public struct User: Equatable, Sendable, JSONEncodable {
    public let userID: UserID
    /// `nil` for a user who signs in elsewhere, or with a guest's pass.
    public let username: String?
    /// The name that people see; not unique.
    public let displayName: String
    /// When the user was made here.
    public let createdAt: Timestamp
    /// The user's id in the database of the program that the chat is part of; `nil` if there is none, or where the
    /// reader may not know it.
    public let externalID: ExternalID?
    /// Whether the user was erased: then there is nothing more to say.
    public let isErased: Bool

    /// Describes a user.
    public init(
        userID: UserID, username: String?, displayName: String, createdAt: Timestamp, externalID: ExternalID? = nil,
        isErased: Bool = false
    ) {
        self.userID = userID
        self.username = username
        self.displayName = displayName
        self.createdAt = createdAt
        self.externalID = externalID
        self.isErased = isErased
    }

    /// The user without its external id, for readers who may not know it.
    public var withoutExternalID: User {
        User(userID: userID, username: username, displayName: displayName, createdAt: createdAt, isErased: isErased)
    }

    /// Writes `{userId, username?, displayName, createdAt, externalId?}`; of an erased user `{userId, isErased}`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writeMembers(to: &$0) }
    }

    fileprivate func writeMembers(to writer: inout JSONWriter) {
        writer.member("userId", userID.rawValue)
        guard !isErased else { return writer.member("isErased", true) }
        writer.member("username", ifPresent: username)
        writer.member("displayName", displayName)
        writer.member("createdAt", createdAt)
        writer.member("externalId", ifPresent: externalID?.rawValue)
    }
}

/// A user, as a backend with a server's key sees it.
public struct ManagedUser: Equatable, Sendable, JSONEncodable {
    public let user: User
    /// Whether the user is kept from signing in.
    public let isDisabled: Bool

    /// Writes the user with `disabled`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            user.writeMembers(to: &writer)
            writer.member("disabled", isDisabled)
        }
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
    /// Whether the user is kept from signing in.
    public let isDisabled: Bool
}
