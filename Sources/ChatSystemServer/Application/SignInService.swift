import ChatEventBus
import ChatStorage
import CommonAuth
import CommonUtil
import Logging
import Metrics

/// Ending sign-ins: their refresh tokens are gone with the commit, and every server refuses their access tokens and closes
/// their sockets as soon as it is told.
struct SignInService: Sendable {
    /// Why a sign-in ended.
    enum Reason: String, CaseIterable {
        case logout
        case logoutAll = "logout_all"
        case password
        /// A refresh token was used a second time.
        case reuse
    }

    private let signIns: SignInRepository
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

    func logOut(_ token: RefreshToken) async throws {
        if let ended = try await signIns.end(ofHash: token.hash) { announce(ended, .logout) }
    }

    func logOutEverywhere(_ user: AuthenticatedUser) async throws {
        announce(try await signIns.endAll(of: user.userID), .logoutAll)
    }

    /// The caller's own sign-in stays: who changes the password has just proved to know it. Where the token does not name
    /// its sign-in that cannot be told from the others, and all end.
    /// - Throws: `invalid_credentials` where the password was changed since it was checked.
    func changePassword(of user: AuthenticatedUser, from current: String, to next: String) async throws {
        let ended = try await signIns.changePassword(
            of: user.userID, from: current, to: next, keeping: user.signInID)
        guard let ended else { throw ChatError(.invalidCredentials) }
        announce(ended, .password)
    }

    /// Tells all servers, this one first, and leaves a line in the log. A sign-in's id is no secret: nothing can be done
    /// with it.
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
    /// Those that access tokens may be about yet.
    fileprivate var signInIDs: [SignInID] {
        revocations.compactMap { if case .signIn(let signInID) = $0.scope { signInID } else { nil } }
    }
}
