import CommonUtil

/// Lets readers wait until the feed of changes is longer.
///
/// The end of the feed is read from the database, and only while somebody waits: one small query serves all of them, and
/// needs nothing of the server that appends.
actor ChangeFeedWaiter {
    enum Outcome {
        /// The feed is longer now.
        case moved
        case unchanged
        /// The server stops.
        case draining
    }

    private struct Waiter {
        let position: Int64
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Outcome, Never>
    }

    /// The position of the last run.
    private let head: @Sendable () async throws -> Int64
    private let interval: Duration
    private var waiters: [Int: Waiter] = [:]
    private var nextID = 0
    /// Whether waits end at once, since the server stops.
    private(set) var isDraining = false
    private var polling: Task<Void, Never>?

    /// - Parameters:
    ///   - interval: time between two readings.
    ///   - head: reads the position of the last run.
    init(interval: Duration = .milliseconds(100), head: @escaping @Sendable () async throws -> Int64) {
        self.interval = interval
        self.head = head
    }

    /// The number of readers that wait.
    var count: Int { waiters.count }

    /// Waits until the feed is longer. Returns also when the task is cancelled.
    func wait(beyond position: Int64, until deadline: ContinuousClock.Instant) async -> Outcome {
        guard !isDraining else { return .draining }
        guard !Task.isCancelled, ContinuousClock.now < deadline else { return .unchanged }
        let id = nextID
        nextID += 1
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiters[id] = Waiter(position: position, deadline: deadline, continuation: continuation)
                if Task.isCancelled { return end(id, .unchanged) }
                if polling == nil { polling = Task { await poll() } }
            }
        } onCancel: {
            Task { await end(id, .unchanged) }
        }
    }

    /// Ends all waits, those that are to come, too.
    func drain() {
        isDraining = true
        for id in waiters.keys { end(id, .draining) }
    }

    private func end(_ id: Int, _ outcome: Outcome) {
        waiters.removeValue(forKey: id)?.continuation.resume(returning: outcome)
    }

    private func poll() async {
        while !waiters.isEmpty {
            // While the database is away, waits end by their deadlines.
            let head = try? await head()
            let now = ContinuousClock.now
            for (id, waiter) in waiters {
                if let head, head > waiter.position {
                    end(id, .moved)
                } else if waiter.deadline <= now {
                    end(id, .unchanged)
                }
            }
            guard let next = waiters.values.map(\.deadline).min() else { break }
            try? await Task.sleep(until: min(next, .now + interval), clock: .continuous)
        }
        polling = nil
    }
}
