import Dispatch
import Synchronization

/// Runs calls that block, such as reading standard input, one after another on a thread of their own. A waiting caller
/// can be cancelled; the call itself continues until it returns or the process ends.
struct BlockingWork: Sendable {
    private let queue: DispatchQueue

    init(_ label: String) { queue = DispatchQueue(label: label) }

    /// - Throws: what `work` throws, or `CancellationError`.
    func run<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        let waiter = Waiter<Result>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard waiter.wait(continuation) else { return }
                queue.async { waiter.resume(Swift.Result { try work() }) }
            }
        } onCancel: {
            waiter.resume(.failure(CancellationError()))
        }
    }

    /// A continuation that is resumed once, by whoever comes first.
    private final class Waiter<Value: Sendable>: Sendable {
        private struct State {
            var continuation: CheckedContinuation<Value, any Error>?
            var isOver = false
        }

        private let state = Mutex(State())

        /// - Returns: `false` if the task was cancelled before; then the continuation has been resumed.
        func wait(_ continuation: CheckedContinuation<Value, any Error>) -> Bool {
            let isWaiting = state.withLock { state in
                if !state.isOver { state.continuation = continuation }
                return !state.isOver
            }
            if !isWaiting { continuation.resume(throwing: CancellationError()) }
            return isWaiting
        }

        func resume(_ result: Result<Value, any Error>) {
            let continuation = state.withLock { state in
                state.isOver = true
                defer { state.continuation = nil }
                return state.continuation
            }
            continuation?.resume(with: result)
        }
    }
}
