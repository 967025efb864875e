import NIOCore

/// The deadlines of one HTTP connection. Does no I/O; the handler checks periodically whether one has passed.
struct ConnectionTiming {
    // Checked in steps instead of by a timer for each deadline: NIO searches all timers of an event loop to cancel one, and
    // clients that begin requests without finishing them would make that slow for all connections.

    /// The event that a connection waits for.
    enum Wait: Equatable {
        /// The whole head of the first request.
        case firstRequest
        /// The rest of a head.
        case head
        case body
        case nextRequest
        /// After the last response.
        case clientToClose
    }

    private let headTimeout: TimeAmount
    private var progress = ProgressWatch(timeout: RequestBounds.stallTimeout)
    private var hasResponded = false
    private(set) var current: Wait?
    /// The end of the idle time since the last response. An empty line before a request, which can come in two halves, begins
    /// neither that nor the time for the first request again.
    private var idleDeadline: NIODeadline?
    private var deadline = NIODeadline.distantFuture
    /// The end of the grace period, once the server stops.
    private var shutdownDeadline = NIODeadline.distantFuture

    init(headTimeout: TimeAmount) { self.headTimeout = headTimeout }

    /// Records that a response is complete: the idle time begins again.
    mutating func responseCompleted() {
        hasResponded = true
        current = nil
        idleDeadline = nil
    }

    /// Begins the grace period of a shutdown.
    mutating func stop(at now: NIODeadline) { shutdownDeadline = now + RequestBounds.shutdownGracePeriod }

    /// Sets the event that is waited for. A wait that goes on keeps its deadline.
    mutating func wait(for wait: Wait?, at now: @autoclosure () -> NIODeadline) {
        let isForRequest = wait == .nextRequest || wait == .head
        let wait = isForRequest && !hasResponded ? .firstRequest : wait
        guard wait != current else { return }
        current = wait
        if wait == .nextRequest, let idleDeadline {
            deadline = idleDeadline
            return
        }
        deadline = time(wait).map { now() + $0 } ?? .distantFuture
        if wait == .nextRequest { idleDeadline = deadline }
    }

    private func time(_ wait: Wait?) -> TimeAmount? {
        switch wait {
        case .firstRequest, .head: headTimeout
        case .body: RequestBounds.bodyTimeout
        case .nextRequest: RequestBounds.idleTimeout
        case .clientToClose: RequestBounds.closingReadTime
        case nil: nil
        }
    }

    /// Returns the time of the next check: no later than the next deadline, whatever wait begins until then.
    func nextCheck(after now: NIODeadline) -> NIODeadline {
        var next = now + headTimeout
        for deadline in [deadline, idleDeadline ?? deadline] where deadline > now { next = min(next, deadline) }
        return next
    }

    /// - Parameters:
    ///   - queued: the number of bytes that wait to be sent.
    ///   - waitsForClient: whether only the client can make progress.
    /// - Returns: whether a deadline has passed and the connection has to end.
    mutating func isDue(at now: NIODeadline, queued: Int, waitsForClient: Bool) -> Bool {
        if progress.isStalled(queued: queued, at: now) { return true }
        if waitsForClient, now >= shutdownDeadline { return true }
        guard now >= deadline else { return false }
        // A client that is still reading its last response is not idle.
        return current != .nextRequest || queued == 0
    }
}

/// Detects a peer that has stopped reading. Pure: no I/O.
struct ProgressWatch {
    private let timeout: TimeAmount
    /// The number of queued bytes at the last change, and its time.
    private var queued = 0
    private var since = NIODeadline.uptimeNanoseconds(0)

    init(timeout: TimeAmount) { self.timeout = timeout }

    /// - Parameter queued: the number of bytes that wait to be sent, those in the kernel included.
    /// - Returns: whether that number has been the same, and not 0, for the timeout.
    mutating func isStalled(queued: Int, at now: NIODeadline) -> Bool {
        guard queued > 0, queued == self.queued else {
            self.queued = queued
            since = now
            return false
        }
        return now - since >= timeout
    }
}
