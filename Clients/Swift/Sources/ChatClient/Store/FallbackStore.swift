import NIOConcurrencyHelpers

/// A store that fails is replaced by memory, which takes over what it held as far as that can be read; it is tried again
/// when asked to.
final class FallbackStore: ChatStore {
    private struct State {
        /// While the store fails.
        var memory: MemoryChatStore?
        /// Keys that were changed since it failed.
        var changed: Set<String> = []
        /// The last values of small keys, should the store fail to give them back.
        var mirror: [String: [UInt8]] = [:]
        var retryAt: Int64 = 0
    }

    private let store: any ChatStore
    private let onFailure: @Sendable (ChatError) -> Void
    private let retryMilliseconds: Int64
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - retryMilliseconds: how long it is left alone before it is tried again.
    ///   - onFailure: called once for each time that the store begins to fail.
    init(
        _ store: any ChatStore, retryMilliseconds: Int64 = 30_000, onFailure: @escaping @Sendable (ChatError) -> Void
    ) {
        self.store = store
        self.retryMilliseconds = retryMilliseconds
        self.onFailure = onFailure
    }

    var isLasting: Bool { store.isLasting && state.withLockedValue { $0.memory == nil } }

    func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        if let memory = state.withLockedValue({ $0.memory }) { return try await inMemory(memory, body) }
        do {
            let (result, changes) = try await uncancelled { [store] in
                try await store.step { step in (try body(&step), step.changes) }
            }
            if store.isLasting {
                state.withLockedValue { state in
                    // Logs can be read from the server again; the rest is small and cannot.
                    for (key, value) in changes where !key.contains("/room/") { state.mirror[key] = value }
                }
            }
            return result
        } catch let error where Self.isOfStore(error) {
            let memory = await replace(error)
            return try await inMemory(memory, body)
        }
    }

    /// Does the whole of it, although the task is cancelled: what the machines have taken in must be kept, and a task may do
    /// what others have asked for.
    private func uncancelled<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Task { try await work() }.value
    }

    private func inMemory<Result: Sendable>(
        _ memory: MemoryChatStore, _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        let (result, keys) = try await memory.step { step in (try body(&step), Array(step.changes.keys)) }
        state.withLockedValue { $0.changed.formUnion(keys) }
        return result
    }

    private func replace(_ error: any Error) async -> MemoryChatStore {
        let read = try? await uncancelled { [store] in
            try await store.step { step in
                var values: [String: [UInt8]] = [:]
                for key in try step.keys(withPrefix: "") { values[key] = try? step.value(key) }
                return values
            }
        }
        let (memory, isNew) = state.withLockedValue { state in
            if let memory = state.memory { return (memory, false) }
            let memory = MemoryChatStore(read ?? state.mirror)
            state.memory = memory
            state.retryAt = System.monotonicClock + retryMilliseconds
            return (memory, true)
        }
        if isNew {
            let cause = error as? ChatError
            onFailure(
                ChatError(
                    .storeFailed, cause?.message ?? "The store failed; what is new is kept in memory",
                    isTemporary: true,
                    cause: error))
        }
        return memory
    }

    /// Gives the store, when it is time to, what has changed since it failed.
    func retry() async {
        let due = state.withLockedValue { state -> (MemoryChatStore, Set<String>)? in
            guard let memory = state.memory, System.monotonicClock >= state.retryAt else { return nil }
            state.retryAt = System.monotonicClock + retryMilliseconds
            return (memory, state.changed)
        }
        guard let (memory, changed) = due else { return }
        let values = memory.contents
        let isBack: Void? = try? await store.step { step in
            for key in changed { step.set(key, values[key]) }
        }
        guard isBack != nil else { return }
        state.withLockedValue { state in
            // What was changed in between stays in memory until the next time.
            state.changed.subtract(changed)
            if state.changed.isEmpty { state.memory = nil }
        }
    }

    private static func isOfStore(_ error: any Error) -> Bool {
        guard let error = error as? ChatError else { return !(error is CancellationError) }
        return error.code == .storeFailed
    }
}
