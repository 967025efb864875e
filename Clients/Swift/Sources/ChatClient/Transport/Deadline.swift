import NIOConcurrencyHelpers

/// Runs an operation with a deadline. When it has passed the operation is cancelled, and its end awaited.
/// - Throws: ``ChatError/timeout``, or what the operation throws.
func withDeadline<Result: Sendable>(
    milliseconds: Int64, _ operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await Task.sleep(for: .milliseconds(milliseconds))
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw ChatError.timeout }
        return result
    }
}

/// Awaits an operation that does not notice cancellation, such as a name lookup, only as long as the caller's task is not
/// cancelled. What it gives later goes to `late`.
func abandonable<Result: Sendable>(
    _ operation: @escaping @Sendable () async throws -> Result, late: @escaping @Sendable (Result) async -> Void
) async throws -> Result {
    let once = Once<Result>()
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

/// A continuation that is resumed once, by whoever comes first.
private final class Once<Value: Sendable>: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Value, any Error>)
        case resumed(Swift.Result<Value, any Error>)
    }

    private let state = NIOLockedValueBox(State.idle)

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let early = state.withLockedValue { state -> Swift.Result<Value, any Error>? in
            if case .resumed(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let early { continuation.resume(with: early) }
    }

    /// Returns whether this was the first.
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
