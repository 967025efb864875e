import CommonUtil

/// How long a session may live by its access token: it is warned before the token ends and closed a while after, unless
/// a fresh one comes. Pure, no I/O.
struct TokenLifetime {
    static let warning = Duration.seconds(60)
    static let grace = Duration.seconds(30)

    enum Action: Equatable {
        case none
        case warn(expiresAt: Timestamp)
        case close
    }

    private let expiresAt: Timestamp
    private var isWarned = false

    init(expiresAt: Timestamp) { self.expiresAt = expiresAt }

    /// How long nothing is due; zero or less where something is.
    func wait(now: Timestamp) -> Duration {
        let left = Duration.microseconds(expiresAt.microseconds - now.microseconds)
        return isWarned ? left + Self.grace : left - Self.warning
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
