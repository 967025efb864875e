import CommonUtil

/// Who is calling.
public struct AuthenticatedUser: Sendable, Hashable {
    public let userID: UserID
    /// When the word of the token ends; `nil` where the caller was believed without one (`trusted` mode).
    public let tokenExpiresAt: Timestamp?
    /// The token's `iat`; `nil` where it has none.
    public let tokenIssuedAt: Timestamp?
    /// The token's `sid`; `nil` where it has none: servers before this claim issued it.
    public let signInID: SignInID?

    public init(
        userID: UserID, tokenExpiresAt: Timestamp?, tokenIssuedAt: Timestamp? = nil, signInID: SignInID? = nil
    ) {
        self.userID = userID
        self.tokenExpiresAt = tokenExpiresAt
        self.tokenIssuedAt = tokenIssuedAt
        self.signInID = signInID
    }
}
