import CommonUtil

extension SessionShard {
    /// Closes the sessions whose sign-ins have ended. One that is let in just now is not among them: whoever opens it asks
    /// the list of revocations, on this event loop (`ChatUpgradePolicy`).
    func close(endedBy revocations: [Revocation]) {
        for revocation in revocations {
            for session in sessions(ofUser: revocation.userID)
            where revocation.ends(sessionOf: session.token?.signInID) {
                session.transport.close(.signInEnded)
            }
        }
    }
}

extension CloseReason {
    static let signInEnded = CloseReason(.unauthorized, "the sign-in has ended")
}
