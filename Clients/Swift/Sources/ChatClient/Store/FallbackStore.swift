import NIOConcurrencyHelpers

/// A store that fails is replaced by memory, laid over what it held as far as that can be read; it is tried again when asked
/// to. What other processes have changed in it meanwhile stays as it is.
final class FallbackStore: ChatStore {
    private struct State {
        /// While the store fails.
        var overlay: Overlay?
        /// The last values of small keys, should the store fail to give them back.
        var mirror: [String: [UInt8]] = [:]
        var retryAt: Int64 = 0
    }

    /// How often what is new is written at once, where more comes while that is done.
    private static let maximumRounds = 3

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

    var isLasting: Bool { store.isLasting && state.withLockedValue { $0.overlay == nil } }

    func step<Result: Sendable>(
        _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        if let result = try inMemory(body) { return result }
        let tried = NIOLockedValueBox<[String: [UInt8]?]>([:])
        do {
            let (result, changes) = try await uncancelled { [store] in
                try await store.step { step in
                    let result = try body(&step)
                    tried.withLockedValue { [changes = step.changes] in $0 = changes }
                    return (result, step.changes)
                }
            }
            if store.isLasting { state.withLockedValue { Self.mirror(changes, in: &$0) } }
            return result
        } catch let error where Self.isOfStore(error) {
            await replace(error, tried.withLockedValue { $0 })
            // It may work again by now.
            if let result = try inMemory(body) { return result }
            return try await store.step(body)
        }
    }

    private static func mirror(_ changes: [String: [UInt8]?], in state: inout State) {
        for (key, value) in changes where !Overlay.isLog(key) { state.mirror[key] = value }
    }

    /// Does the whole of it, although the task is cancelled: what the machines have taken in must be kept, and a task may do
    /// what others have asked for.
    private func uncancelled<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await Task { try await work() }.value
    }

    // MARK: Memory

    /// - Returns: `nil` where the store does not fail.
    private func inMemory<Result>(_ body: (inout ChatStoreStep) throws -> Result) throws -> Result? {
        try state.withLockedValue { state in
            guard let (result, changes) = try state.overlay.map({ try Self.perform(body, on: $0) }) else { return nil }
            state.overlay?.apply(changes)
            return result
        }
    }

    /// The step's view of the values ends with this call, so that changing them copies nothing.
    private static func perform<Result>(
        _ body: (inout ChatStoreStep) throws -> Result, on overlay: Overlay
    ) throws -> (Result, [String: [UInt8]?]) {
        var step = ChatStoreStep {
            overlay.value($0)
        } list: { prefix in
            overlay.keys(withPrefix: prefix)
        }
        return (try body(&step), step.changes)
    }

    /// - Parameter tried: changes that may have been made all the same.
    private func replace(_ error: any Error, _ tried: [String: [UInt8]?]) async {
        let read = try? await uncancelled { [store] in
            try await store.step { step in
                var values: [String: [UInt8]] = [:]
                for key in try step.keys(withPrefix: "") { values[key] = try? step.value(key) }
                return values
            }
        }
        let isNew = state.withLockedValue { state in
            guard state.overlay == nil else {
                state.overlay?.writingFailed(tried)
                return false
            }
            state.overlay = Overlay(base: read ?? state.mirror, isWhole: read != nil, attempted: tried)
            state.retryAt = System.monotonicClock + retryMilliseconds
            return true
        }
        guard isNew else { return }
        let cause = error as? ChatError
        onFailure(
            ChatError(
                .storeFailed, cause?.message ?? "The store failed; what is new is kept in memory", isTemporary: true,
                cause: error))
    }

    // MARK: The store works again

    /// Gives the store, when it is time to, what has changed since it failed.
    func retry() async {
        let isDue = state.withLockedValue { state in
            guard state.overlay != nil, System.monotonicClock >= state.retryAt else { return false }
            state.retryAt = System.monotonicClock + retryMilliseconds
            return true
        }
        guard isDue else { return }
        for _ in 0..<Self.maximumRounds {
            // There may be room for what is small where there is none for all.
            for isLog in [false, true] {
                guard await writeOverlay(ofLogs: isLog) else { return }
            }
            let isBack = state.withLockedValue { state in
                if state.overlay?.isEmpty ?? true { state.overlay = nil }
                return state.overlay == nil
            }
            if isBack { return }
        }
    }

    /// - Returns: whether the store has taken it.
    private func writeOverlay(ofLogs isLog: Bool) async -> Bool {
        guard let overlay = state.withLockedValue({ $0.overlay }) else { return false }
        let tried = NIOLockedValueBox<[String: [UInt8]?]>([:])
        do {
            let merge = try await uncancelled { [store] in
                try await store.step { step in
                    let merge = try overlay.merge(into: step, ofLogs: isLog)
                    for (key, value) in merge.changes { step.set(key, value) }
                    tried.withLockedValue { $0 = merge.changes }
                    return merge
                }
            }
            state.withLockedValue { state in
                state.overlay?.merged(merge, of: overlay)
                Self.mirror(merge.changes, in: &state)
            }
            return true
        } catch {
            state.withLockedValue { [tried = tried.withLockedValue { $0 }] in $0.overlay?.writingFailed(tried) }
            return false
        }
    }

    private static func isOfStore(_ error: any Error) -> Bool {
        guard let error = error as? ChatError else { return !(error is CancellationError) }
        return error.code == .storeFailed
    }
}
