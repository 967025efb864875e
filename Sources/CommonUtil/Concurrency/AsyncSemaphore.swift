import DequeModule
import Synchronization

/// A counting semaphore for tasks, which wait in order of arrival.
///
/// The wait has no bound of its own: the caller bounds the number of tasks, and what each may take.
public final class AsyncSemaphore: Sendable {
    private struct State {
        var free: Int
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
    }

    private let state: Mutex<State>

    /// - Parameter limit: tasks that may run at once.
    public init(limit: Int) { state = Mutex(State(free: limit)) }

    /// Runs `body` as soon as fewer than `limit` tasks run.
    public func run<Result: Sendable>(_ body: () async throws -> Result) async rethrows -> Result {
        await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free > 0 else {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.free += 1 }
            return next
        }
        next?.resume()
    }
}
