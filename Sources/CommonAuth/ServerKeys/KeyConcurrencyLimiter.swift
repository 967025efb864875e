import CommonUtil
import Synchronization

/// Bounds the calls that are made with one key at the same time, in this process. Keys have no rate: a backend may call as
/// fast as it gets answers.
public final class KeyConcurrencyLimiter: Sendable {
    /// What a call waits for. Calls that wait for one thing take no place of those that wait for another.
    public enum Wait: Sendable {
        /// The next event in the feed of changes.
        case change
        /// A place among the downloads.
        case download
    }

    private struct Count {
        var calls = 0
        var waiting: [Wait: Int] = [:]
        var isZero: Bool { calls == 0 && waiting.isEmpty }
    }

    private let maximumCalls: Int
    private let maximumWaiting: [Wait: Int]
    private let counts = Mutex<[KeyName: Count]>([:])

    /// - Parameters:
    ///   - maximumCalls: calls of one key at a time.
    ///   - maximumWaiting: calls beside them that wait (``Call/waiting(for:_:)``).
    public init(maximumCalls: Int = 100, maximumWaiting: [Wait: Int] = [.change: 20, .download: 64]) {
        self.maximumCalls = maximumCalls
        self.maximumWaiting = maximumWaiting
    }

    /// Begins a call, which lasts as long as the returned value.
    /// - Throws: `rate_limited` (429).
    func begin(_ name: KeyName) throws(ChatError) -> Call {
        let isAdmitted = counts.withLock { counts in
            guard counts[name, default: Count()].calls < maximumCalls else { return false }
            counts[name, default: Count()].calls += 1
            return true
        }
        guard isAdmitted else {
            throw ChatError(.rateLimited, "A key makes at most \(maximumCalls) calls at a time", retryAfterSeconds: 1)
        }
        return Call(name, self)
    }

    private func change(_ name: KeyName, _ change: (inout Count) -> Void) {
        counts.withLock { counts in
            change(&counts[name, default: Count()])
            if counts[name]?.isZero ?? false { counts[name] = nil }
        }
    }

    /// A call in progress. It ends with the last reference, so a response that is a stream can hold it until its end.
    public final class Call: Sendable {
        private let name: KeyName
        private let all: KeyConcurrencyLimiter

        fileprivate init(_ name: KeyName, _ all: KeyConcurrencyLimiter) {
            self.name = name
            self.all = all
        }

        deinit { all.change(name) { $0.calls -= 1 } }

        /// Waits for something to happen. Meanwhile the call does not count as one, but as a waiting one.
        /// - Throws: `rate_limited` (429) if too many calls of the key wait; otherwise the errors of `body`.
        public func waiting<Result: Sendable>(
            for wait: Wait, _ body: () async throws -> Result
        ) async throws -> Result {
            let maximum = all.maximumWaiting[wait] ?? 0
            let isAdmitted = all.counts.withLock { counts in
                guard counts[name, default: Count()].waiting[wait, default: 0] < maximum else { return false }
                counts[name, default: Count()].waiting[wait, default: 0] += 1
                counts[name, default: Count()].calls -= 1
                return true
            }
            guard isAdmitted else {
                throw ChatError(
                    .rateLimited, "At most \(maximum) calls of a key wait at a time", retryAfterSeconds: 1)
            }
            // Continues even if the maximum is reached by now, so for a moment there can be a few more calls.
            defer {
                all.change(name) { count in
                    let left = (count.waiting[wait] ?? 1) - 1
                    count.waiting[wait] = left > 0 ? left : nil
                    count.calls += 1
                }
            }
            return try await body()
        }
    }
}
