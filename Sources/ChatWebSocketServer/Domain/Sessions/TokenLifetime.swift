import CommonAuth
import CommonUtil

/// The lifetime that a session has by its access token: the client is warned before the token expires, and the session is
/// closed some time after, unless a fresh token arrives. Pure: no I/O.
///
/// The warning comes when a quarter of the token's lifetime is left. At a fixed time before its end, a short-lived token would
/// be warned of from its beginning, and a client that renews at the warning would do so all the time.
struct TokenLifetime {
    /// Bound on ``warning``.
    static let longestWarning = Duration.seconds(60)
    /// The time after its expiry in which a token can be replaced.
    static let renewalGrace = Duration.seconds(30)

    /// What to do about a session's token.
    enum Action: Equatable {
        case none
        case warn(expiresAt: Timestamp)
        case close
    }

    private let expiresAt: Timestamp
    /// The sign-in of the token, with which the session ends; `nil` if the token does not name one.
    let signInID: SignInID?
    // A quarter of the token's lifetime, bounded by the longest warning. A small type, since every socket has one.
    private let quarterMilliseconds: UInt16
    private let isRenewable: Bool
    private var isWarned = false

    /// - Parameters:
    ///   - issuedAt: the beginning of the token's lifetime. If it is `nil`, or not before `expiresAt`, `now` counts instead.
    ///   - isRenewable: whether a fresh token can arrive.
    init(
        expiresAt: Timestamp, issuedAt: Timestamp?, signInID: SignInID? = nil, isRenewable: Bool = true, now: Timestamp
    ) {
        self.isRenewable = isRenewable
        self.expiresAt = expiresAt
        self.signInID = signInID
        let start = issuedAt.flatMap { $0 < expiresAt ? $0 : nil } ?? now
        let quarter = (Double(expiresAt.microseconds) - Double(start.microseconds)) / 4_000
        quarterMilliseconds = UInt16(min(max(quarter, 0), Self.longestWarning / .milliseconds(1)))
    }

    /// The lifetime of a user's token. Fails for a user that was not authenticated by a token.
    init?(_ user: AuthenticatedUser, isRenewable: Bool = true, now: Timestamp) {
        guard let expiresAt = user.tokenExpiresAt else { return nil }
        self.init(
            expiresAt: expiresAt, issuedAt: user.tokenIssuedAt, signInID: user.signInID, isRenewable: isRenewable,
            now: now)
    }

    /// Time before the token's expiry at which the client is warned.
    var warning: Duration { .milliseconds(Int64(quarterMilliseconds)) }

    /// Time after the token's expiry for which a fresh one is awaited; zero if none can arrive.
    var grace: Duration { isRenewable ? Self.renewalGrace : .zero }

    /// Time until something is due; zero or less if something is.
    func wait(now: Timestamp) -> Duration {
        let left = Duration.microseconds(expiresAt.microseconds - now.microseconds)
        return isWarned ? left + grace : left - warning
    }

    /// Returns what is due, once.
    mutating func due(now: Timestamp) -> Action {
        guard wait(now: now) <= .zero else { return .none }
        guard isWarned else {
            isWarned = true
            return .warn(expiresAt: expiresAt)
        }
        return .close
    }
}
