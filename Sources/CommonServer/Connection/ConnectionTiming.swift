import NIOCore

/// The deadlines of one HTTP connection. Pure: it is asked from time to time whether one has passed.
///
/// Deadlines are looked at in steps rather than by a timer for each: NIO searches all timers of an event loop to cancel
/// one, and clients that begin requests and do not finish them would make that slow for all.
struct ConnectionTiming {
    /// What a connection waits for.
    enum Wait: Equatable {
        case firstRequest, head, body, nextRequest
        /// After the last answer.
        case clientToClose
    }

    private let headTimeout: TimeAmount
    private var progress = ProgressWatch(timeout: RequestBounds.stallTimeout)
    private var hasAnswered = false
    private(set) var current: Wait?
    private var deadline = NIODeadline.distantFuture
    /// When the patience with clients ends, once the server stops.
    private var stopDeadline = NIODeadline.distantFuture

    init(headTimeout: TimeAmount) { self.headTimeout = headTimeout }

    /// A request was answered: the next time that nothing is under way begins anew.
    mutating func answered() {
        hasAnswered = true
        current = nil
    }

    mutating func stop(at now: NIODeadline) { stopDeadline = now + RequestBounds.stopTime }

    /// A wait that goes on keeps its deadline.
    mutating func wait(for wait: Wait?, at now: @autoclosure () -> NIODeadline) {
        let wait = wait == .nextRequest && !hasAnswered ? .firstRequest : wait
        guard wait != current else { return }
        current = wait
        deadline = time(wait).map { now() + $0 } ?? .distantFuture
    }

    private func time(_ wait: Wait?) -> TimeAmount? {
        switch wait {
        case .firstRequest, .head: headTimeout
        case .body: RequestBounds.bodyTimeout
        case .nextRequest: RequestBounds.idleTimeout
        case .clientToClose: RequestBounds.lingerTime
        case nil: nil
        }
    }

    /// No later than the next deadline, whatever begins to be waited for meanwhile.
    func nextCheck(after now: NIODeadline) -> NIODeadline {
        deadline > now ? min(deadline, now + headTimeout) : now + headTimeout
    }

    /// - Parameters:
    ///   - queued: bytes that wait to be sent.
    ///   - waitsForClient: whether it is the client that nothing goes on without.
    /// - Returns: whether the connection's time is over.
    mutating func isDue(at now: NIODeadline, queued: Int, waitsForClient: Bool) -> Bool {
        if progress.isStalled(queued: queued, at: now) { return true }
        if waitsForClient, now >= stopDeadline { return true }
        guard now >= deadline else { return false }
        // One that still takes its last answer is not idle.
        return current != .nextRequest || queued == 0
    }
}
