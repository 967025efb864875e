import NIOConcurrencyHelpers

/// Runs an operation until `limit` throws. The operation is cancelled then, and its end awaited.
/// - Throws: what `limit` or the operation throws, whichever is first.
func withLimit<Result: Sendable>(
    _ limit: @escaping @Sendable () async throws -> Never, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask(operation: operation)
        group.addTask { try await limit() }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}

/// Runs an operation with a deadline. When it has passed the operation is cancelled, and its end awaited.
/// - Throws: ``ChatError/timeout``, or what the operation throws.
func withDeadline<Result: Sendable>(
    milliseconds: Int64, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withLimit(
        {
            try await Task.sleep(for: .milliseconds(milliseconds))
            throw ChatError.timeout
        }, operation)
}

/// Awaits an operation that does not notice cancellation, such as a name lookup, and returns at once if the caller's
/// task is cancelled. A result that comes later goes to `late`.
func withCancellation<Result: Sendable>(
    _ operation: @escaping @Sendable () async throws -> Result, late: @escaping @Sendable (Result) async -> Void
) async throws -> Result {
    let once = ResumeOnce<Result>()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            once.wait(continuation)
            Task {
                do {
                    let result = try await operation()
                    if !once.resume(.success(result)) { await late(result) }
                } catch {
                    _ = once.resume(.failure(error))
                }
            }
        }
    } onCancel: {
        _ = once.resume(.failure(CancellationError()))
    }
}

/// A continuation that is resumed once, with the first result.
private final class ResumeOnce<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, any Error>)
        case resumed(Swift.Result<Value, any Error>)
    }

    private let state = NIOLockedValueBox(State.idle)

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let known = state.withLockedValue { state -> Swift.Result<Value, any Error>? in
            if case .resumed(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let known { continuation.resume(with: known) }
    }

    /// Returns whether this was the first result.
    func resume(_ result: Swift.Result<Value, any Error>) -> Bool {
        let (isFirst, waiting) = state.withLockedValue { state -> (Bool, CheckedContinuation<Value, any Error>?) in
            switch state {
            case .idle:
                state = .resumed(result)
                return (true, nil)
            case .waiting(let continuation):
                state = .resumed(result)
                return (true, continuation)
            case .resumed:
                return (false, nil)
            }
        }
        waiting?.resume(with: result)
        return isFirst
    }
}
