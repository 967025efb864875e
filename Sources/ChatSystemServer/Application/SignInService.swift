import ChatEventBus
import ChatStorage
import CommonAuth
import CommonUtil
import Logging
import Metrics

/// Ends sign-ins: their refresh tokens are deleted with the commit, and every server refuses their access tokens and
/// closes their sockets as soon as it receives the revocations.
struct SignInService: Sendable {
    /// Why a sign-in ended.
    enum Reason: String, CaseIterable {
        case logout
        case logoutAll = "logout_all"
        case password
        /// A backend signed the user out.
        case signOut = "sign_out"
        case disabled
        case erased
        /// A refresh token was used again.
        case reuse
    }

    let signIns: SignInRepository
    private let feed: RevocationFeed
    private let logger: Logger
    private let ended = Dictionary(
        uniqueKeysWithValues: Reason.allCases.map { reason in
            (reason, Counter(label: "chat_sign_ins_ended_total", dimensions: [("reason", reason.rawValue)]))
        })

    init(signIns: SignInRepository, feed: RevocationFeed, logger: Logger) {
        self.signIns = signIns
        self.feed = feed
        self.logger = logger
    }

    /// Ends the sign-in of a refresh token.
    func logOut(_ token: RefreshToken) async throws {
        if let ended = try await signIns.end(ofHash: token.hash) { announce(ended, .logout) }
    }

    /// Ends all sign-ins of a user.
    func logOutEverywhere(_ user: AuthenticatedUser) async throws {
        announce(try await signIns.endAll(of: user.userID), .logoutAll)
    }

    /// Ends one of a user's own sign-ins.
    /// - Throws: `session_not_found`, also for another's.
    func end(_ signInID: SignInID, of userID: UserID) async throws {
        guard let ended = try await signIns.end(signInID, of: userID) else { throw ChatError(.sessionNotFound) }
        announce(ended, .logout)
    }

    /// Ends all sign-ins of a user, for a backend.
    func signOut(_ userID: UserID) async throws {
        announce(try await signIns.endAll(of: userID), .signOut)
    }

    /// Changes a password and ends all sign-ins but the caller's, who has just proved to know the password. Where the
    /// caller's token does not name its sign-in, all end.
    /// - Throws: `invalid_credentials` if the password was changed since it was verified.
    func changePassword(of user: AuthenticatedUser, from current: String, to next: String) async throws {
        let ended = try await signIns.changePassword(
            of: user.userID, from: current, to: next, keeping: user.signInID)
        guard let ended else { throw ChatError(.invalidCredentials) }
        announce(ended, .password)
    }

    /// Announces revocations to all servers, this one first, and logs them. A sign-in's id is no secret: it grants
    /// nothing.
    func announce(_ ended: SignInRepository.Ended, _ reason: Reason) {
        feed.announce(ended.revocations)
        self.ended[reason]?.increment(by: max(1, ended.signInIDs.count))
        logger.log(
            level: reason == .reuse ? .warning : .info, "Sign-ins ended",
            metadata: [
                "reason": .string(reason.rawValue), "userId": .stringConvertible(ended.userID),
                "signIns": .string(ended.signInIDs.prefix(20).map(\.description).joined(separator: " ")),
            ])
    }
}

extension SignInRepository.Ended {
    /// The sign-ins that valid access tokens may still name.
    fileprivate var signInIDs: [SignInID] {
        revocations.compactMap { if case .signIn(let signInID) = $0.scope { signInID } else { nil } }
    }
}
