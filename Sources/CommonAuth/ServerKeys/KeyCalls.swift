import CommonUtil
import Synchronization

/// Bounds the calls that are made with one key at the same time, in this process. Keys have no rate: a backend may call as
/// fast as it gets answers.
public final class KeyCalls: Sendable {
    private struct Count {
        var calls = 0
        var waiting = 0
    }

    private let maximumCalls: Int
    private let maximumWaiting: Int
    private let counts = Mutex<[KeyName: Count]>([:])

    /// - Parameters:
    ///   - maximumCalls: calls of one key at a time.
    ///   - maximumWaiting: calls beside them that wait for something to happen (``Call/waiting(_:)``).
    public init(maximumCalls: Int = 100, maximumWaiting: Int = 20) {
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
            if let count = counts[name], count.calls == 0, count.waiting == 0 { counts[name] = nil }
        }
    }

    /// A call in progress. It ends with the last reference, so a response that is a stream can hold it until its end.
    public final class Call: Sendable {
        private let name: KeyName
        private let all: KeyCalls

        fileprivate init(_ name: KeyName, _ all: KeyCalls) {
            self.name = name
            self.all = all
        }

        deinit { all.change(name) { $0.calls -= 1 } }

        /// Waits for something to happen. Meanwhile the call does not count as one, but as a waiting one.
        /// - Throws: `rate_limited` (429) where too many calls of the key wait; otherwise the errors of `body`.
        public func waiting<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
            let isAdmitted = all.counts.withLock { counts in
                guard counts[name, default: Count()].waiting < all.maximumWaiting else { return false }
                counts[name, default: Count()].waiting += 1
                counts[name, default: Count()].calls -= 1
                return true
            }
            guard isAdmitted else {
                throw ChatError(
                    .rateLimited, "At most \(all.maximumWaiting) calls of a key wait at a time", retryAfterSeconds: 1)
            }
            // It goes on even if there are as many calls as allowed by now: then there are a few more for a moment.
            defer {
                all.change(name) { count in
                    count.waiting -= 1
                    count.calls += 1
                }
            }
            return try await body()
        }
    }
}
