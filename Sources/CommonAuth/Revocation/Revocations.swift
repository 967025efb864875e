import CommonUtil

/// The revocations in force. Pure: the time is handed in.
struct Revocations {
    private struct Unnamed {
        var issuedUpTo: Timestamp
        var expiresAt: Timestamp
    }

    private var signIns: [SignInID: Timestamp] = [:]
    private var unnamed: [UserID: Unnamed] = [:]

    var count: Int { signIns.count + unnamed.count }

    /// - Returns: whether this one was not in force yet. The same revocation comes several times: pushed, and then again
    ///   with each read of the database that reaches back to it.
    mutating func insert(_ revocation: Revocation, now: Timestamp) -> Bool {
        guard now < revocation.expiresAt else { return false }
        switch revocation.scope {
        case .signIn(let signInID):
            let known = signIns[signInID]
            signIns[signInID] = max(known ?? revocation.expiresAt, revocation.expiresAt)
            return known == nil
        case .unnamed(let issuedUpTo):
            let known = unnamed[revocation.userID]
            guard issuedUpTo > known?.issuedUpTo ?? Timestamp(microseconds: .min) else { return false }
            unnamed[revocation.userID] = Unnamed(issuedUpTo: issuedUpTo, expiresAt: revocation.expiresAt)
            return true
        }
    }

    /// Whether the caller's token is revoked. One without `sid` and `iat` is, if any is: it may have been issued at any
    /// time. A caller without a token has none that could be.
    func include(_ user: AuthenticatedUser) -> Bool {
        guard user.tokenExpiresAt != nil else { return false }
        if let signInID = user.signInID { return signIns[signInID] != nil }
        guard let revocation = unnamed[user.userID] else { return false }
        guard let issuedAt = user.tokenIssuedAt else { return true }
        return issuedAt <= revocation.issuedUpTo
    }

    /// Forgets those whose last token has ended.
    mutating func removeExpired(now: Timestamp) {
        signIns = signIns.filter { now < $0.value }
        unnamed = unnamed.filter { now < $0.value.expiresAt }
    }
}
