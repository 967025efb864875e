/// The end of sign-ins before the end of their access tokens: these are refused from now on, whatever their `exp`, and
/// their sockets are closed.
public struct Revocation: Hashable, Sendable {
    public enum Scope: Hashable, Sendable {
        /// The access tokens of one sign-in, whenever they were issued. One that is being signed just now is among them.
        case signIn(SignInID)
        /// The user's access tokens that name no sign-in, since older servers issued them, up to this time.
        case unnamed(issuedUpTo: Timestamp)
    }

    public let userID: UserID
    public let scope: Scope
    /// When the last access token that this is about has ended, and it can be forgotten.
    public let expiresAt: Timestamp

    public init(userID: UserID, scope: Scope, expiresAt: Timestamp) {
        self.userID = userID
        self.scope = scope
        self.expiresAt = expiresAt
    }

    /// Whether a session of this user has to end.
    /// - Parameter signInID: the sign-in of the session; `nil` for one that was opened with a token without `sid`, or
    ///   without a token.
    public func ends(sessionOf signInID: SignInID?) -> Bool {
        switch scope {
        case .signIn(let ended): signInID == ended
        case .unnamed: signInID == nil
        }
    }
}
