import CommonUtil

/// Who is calling.
public struct AuthenticatedUser: Sendable, Hashable {
    public let userID: UserID
    /// When the word of the token ends; `nil` where the caller was believed without one (`trusted` mode).
    public let tokenExpiresAt: Timestamp?

    public init(userID: UserID, tokenExpiresAt: Timestamp?) {
        self.userID = userID
        self.tokenExpiresAt = tokenExpiresAt
    }
}
