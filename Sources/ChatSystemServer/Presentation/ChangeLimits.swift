import CommonAuth
import CommonServer
import CommonUtil

/// How often a user may change rooms, members and names (`CHAT_LIMIT_CHANGES`): each change is an event in the logs of
/// others.
///
/// Marking rooms read makes no event, writes one row at most and is done all the time, so it counts apart, at the same
/// rate, in each process for itself.
struct ChangeLimits: Sendable {
    private let changes: RateLimiter<UserID>
    private let readMarks: RateLimiter<UserID>

    /// - Parameter shared: through which all instances count changes together.
    init(rate: Rate, shared: SharedLimits) {
        changes = RateLimiter(.changes, rate: rate, shared: shared)
        readMarks = RateLimiter(.readMarks, rate: rate)
    }

    /// To be called first: what is refused later counts, too.
    /// - Returns: who is calling.
    /// - Throws: `rate_limited` (429).
    func admitChange(_ context: ChatRequestContext) async throws(ChatError) -> UserID {
        let userID = try context.requireUser().userID
        try await changes.check(userID)
        return userID
    }

    /// As ``admitChange(_:)``.
    func admitReadMark(_ context: ChatRequestContext) async throws(ChatError) -> UserID {
        let userID = try context.requireUser().userID
        try await readMarks.check(userID)
        return userID
    }
}
