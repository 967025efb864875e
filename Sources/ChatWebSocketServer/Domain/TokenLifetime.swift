import CommonAuth
import CommonUtil

/// How long a session may live by its access token: it is warned before the token ends and closed a while after, unless
/// a fresh one comes. Pure, no I/O.
///
/// Both margins are a quarter of the token's life, so that a short-lived token is not warned of from its beginning: who
/// renews at the warning would do so all the time.
struct TokenLifetime {
    static let longestWarning = Duration.seconds(60)
    static let longestGrace = Duration.seconds(30)

    enum Action: Equatable {
        case none
        case warn(expiresAt: Timestamp)
        case close
    }

    private let expiresAt: Timestamp
    /// The sign-in that the token is of, with which the session ends; `nil` where the token does not name it.
    let signInID: SignInID?
    /// A quarter of the token's life, bounded by the longest margin. Small, since every socket has one of these.
    private let quarterMilliseconds: UInt16
    private var isWarned = false

    /// - Parameters:
    ///   - issuedAt: where the token's life began. Where that is not told, or is no time before its end, it counts from
    ///     `now` on, when the session began to live by it.
    init(expiresAt: Timestamp, issuedAt: Timestamp?, signInID: SignInID? = nil, now: Timestamp) {
        self.expiresAt = expiresAt
        self.signInID = signInID
        let start = issuedAt.flatMap { $0 < expiresAt ? $0 : nil } ?? now
        let quarter = (Double(expiresAt.microseconds) - Double(start.microseconds)) / 4_000
        quarterMilliseconds = UInt16(min(max(quarter, 0), Self.longestWarning / .milliseconds(1)))
    }

    /// - Returns: `nil` for a user who was believed without a token.
    init?(_ user: AuthenticatedUser, now: Timestamp) {
        guard let expiresAt = user.tokenExpiresAt else { return nil }
        self.init(expiresAt: expiresAt, issuedAt: user.tokenIssuedAt, signInID: user.signInID, now: now)
    }

    /// How long before the token's end the client is told of it.
    var warning: Duration { .milliseconds(Int64(quarterMilliseconds)) }

    /// How long after the token's end a fresh one is waited for.
    var grace: Duration { min(warning, Self.longestGrace) }

    /// How long nothing is due; zero or less where something is.
    func wait(now: Timestamp) -> Duration {
        let left = Duration.microseconds(expiresAt.microseconds - now.microseconds)
        return isWarned ? left + grace : left - warning
    }

    mutating func due(now: Timestamp) -> Action {
        guard wait(now: now) <= .zero else { return .none }
        guard isWarned else {
            isWarned = true
            return .warn(expiresAt: expiresAt)
        }
        return .close
    }
}
