import Synchronization

/// A value that becomes known once and can be awaited by many, with a deadline and with cancellation.
final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case pending(waiters: [UInt64: CheckedContinuation<Value?, Never>], nextID: UInt64)
        case known(Value)
    }

    private let state = Mutex(State.pending(waiters: [:], nextID: 0))

    var value: Value? {
        state.withLock { if case .known(let value) = $0 { value } else { nil } }
    }

    /// Makes the value known and wakes all who wait; a second call is ignored.
    func fulfill(_ value: Value) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value?, Never>] in
            guard case .pending(let waiters, _) = state else { return [] }
            state = .known(value)
            return Array(waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// Waits for the value.
    /// - Throws: `CancellationError`.
    func wait() async throws -> Value {
        if let value = await valueUnlessCancelled() { return value }
        throw CancellationError()
    }

    /// Waits for the value at most this long; nil when the time is up.
    /// - Throws: `CancellationError`.
    func wait(timeout: Duration) async throws -> Value? {
        if let value { return value }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { await self.valueUnlessCancelled() }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            let first = try await group.next() ?? nil
            try Task.checkCancellation()
            return first
        }
    }

    private func valueUnlessCancelled() async -> Value? {
        let id = state.withLock { state -> UInt64 in
            guard case .pending(let waiters, let nextID) = state else { return 0 }
            state = .pending(waiters: waiters, nextID: nextID + 1)
            return nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Value?? in
                    switch state {
                    case .known(let value): return .some(value)
                    case .pending(var waiters, let nextID):
                        // The handler below may have run before the continuation was registered.
                        if Task.isCancelled { return .some(nil) }
                        waiters[id] = continuation
                        state = .pending(waiters: waiters, nextID: nextID)
                        return nil
                    }
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Value?, Never>? in
                guard case .pending(var waiters, let nextID) = state else { return nil }
                let waiter = waiters.removeValue(forKey: id)
                state = .pending(waiters: waiters, nextID: nextID)
                return waiter
            }
            waiter?.resume(returning: nil)
        }
    }
}
