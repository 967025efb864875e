import CommonUtil
import NIOCore
import Synchronization

/// Bounds the memory and the processor time in which pages of messages are made: a few are in progress, the others wait their
/// turn.
///
/// A page of 100 messages can have 13 MB as JSON, made of 6.5 MB of rows and as much of decoded messages. Its size is known
/// only once the rows are there, so the limit is on the number of pages and applies before the query. It is the number of
/// processors, since more pages at a time are not made faster, but posts wait behind them, in PostgreSQL and here. An
/// ordinary page takes a millisecond or two.
/// Callers wait in a ``FairQueue`` by user: requests of one user for large pages delay that user's own requests first.
///
/// Complete responses, which wait for clients to read them, are bounded by ``LargeResponses``. With both, 30 requests at
/// once for pages of 12.8 MB whose responses are not read take 160 MiB; without this limit they took more than 400 MiB.
final class PageReadLimiter: Sendable {
    private struct Waiter {
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<ChatError?, Never>
    }

    private struct State {
        var free: Int
        var waiting: FairQueue<UserID, Waiter>
    }

    private static let tooMany = ChatError.unavailable("Too many pages of messages are being read right now")

    private let longestWait: Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - maximumReads: pages that are made at the same time.
    ///   - maximumWaiters: callers that wait; further ones are refused.
    ///   - maximumWaitersPerUser: the share of one user. The installation is one user, and a key of it may make 100 calls
    ///     at a time.
    ///   - longestWait: callers that have waited longer are refused when it is their turn, since most clients have given
    ///     up by then.
    init(
        maximumReads: Int = max(2, System.coreCount), maximumWaiters: Int = 1_024, maximumWaitersPerUser: Int = 128,
        longestWait: Duration = .seconds(10)
    ) {
        self.longestWait = longestWait
        state = Mutex(
            State(
                free: maximumReads,
                waiting: FairQueue(capacity: maximumWaiters, placesPerKey: maximumWaitersPerUser)))
    }

    /// The number of callers that wait.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Reads a page once there is room for it.
    /// - Parameter user: the caller.
    /// - Throws: `unavailable` (503) if too many callers wait, or this one waited too long; otherwise the errors of
    ///   `read`.
    func run<Page>(for user: UserID, _ read: () async throws -> Page) async throws -> Page {
        try await enter(user)
        defer { leave() }
        return try await read()
    }

    private func enter(_ user: UserID) async throws(ChatError) {
        let isFree = state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
        guard !isFree else { return }
        let refusal = await withCheckedContinuation { continuation in
            let waiter = Waiter(deadline: .now + longestWait, continuation: continuation)
            let (isFree, displaced) = state.withLock { state -> (Bool, Waiter?) in
                // One can have become free since the first check.
                guard state.free == 0 else {
                    state.free -= 1
                    return (true, nil)
                }
                return (false, state.waiting.append(waiter, for: user))
            }
            if isFree { continuation.resume(returning: nil) }
            displaced?.continuation.resume(returning: Self.tooMany)
        }
        if let refusal { throw refusal }
    }

    /// Passes the permit on to the next caller, or frees it.
    private func leave() {
        let now = ContinuousClock.now
        while true {
            let next = state.withLock { state in
                let next = state.waiting.popFirst()
                if next == nil { state.free += 1 }
                return next
            }
            guard let next else { return }
            let isLate = next.deadline < now
            next.continuation.resume(returning: isLate ? Self.tooMany : nil)
            if !isLate { return }
        }
    }
}
