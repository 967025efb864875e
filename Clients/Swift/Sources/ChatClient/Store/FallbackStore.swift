import NIOConcurrencyHelpers

/// Replaces a failing store by memory, on top of what can still be read from the store. ``retry()`` tries the store
/// again. Changes that other processes have made to the store meanwhile are kept.
final class FallbackStore: ChatStore {
    private typealias Changes = [String: [UInt8]?]

    private struct State {
        /// Set while the store fails.
        var overlay: Overlay?
        var mirror = StoreMirror()
        var retryAt: Int64 = 0
    }

    private let store: any ChatStore
    /// Held by each step in memory, and while their last changes are written: then no others come in between.
    private let memoryMutex = AsyncMutex()
    private let onFailure: @Sendable (ChatError) -> Void
    private let retryMilliseconds: Int64
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - retryMilliseconds: minimum time between two attempts to use the store again.
    ///   - onFailure: called each time that the store begins to fail.
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
        if let result = try await inMemory(body) { return result }
        let attempted = NIOLockedValueBox<Changes>([:])
        do {
            let result = try await stepOfStore(attempted, body)
            mirror(attempted.withLockedValue { $0 })
            return result
        } catch let error where Self.isOfStore(error) {
            await replace(error, attempted.withLockedValue { $0 })
            // The store may work again by now.
            if let result = try await inMemory(body) { return result }
            return try await store.step(body)
        }
    }

    /// Makes a step of the store even if the task is cancelled: the inputs that the state machines have applied must be
    /// stored, and a task may do the work of others.
    /// - Parameter attempted: set to the changes of the step, which may have been made even if it fails.
    private func stepOfStore<Result: Sendable>(
        _ attempted: NIOLockedValueBox<Changes>, _ body: @escaping @Sendable (inout ChatStoreStep) throws -> Result
    ) async throws -> Result {
        let work = Task { [store, state] in
            try await store.step { step in
                if store.isLasting {
                    step.onRead = { key, value in state.withLockedValue { $0.mirror.set(key, value) } }
                    step.onList = { prefix, keys in state.withLockedValue { $0.mirror.keep(keys, withPrefix: prefix) } }
                }
                let result = try body(&step)
                attempted.withLockedValue { [changes = step.changes] in $0 = changes }
                return result
            }
        }
        return try await work.value
    }

    private func mirror(_ changes: Changes) {
        guard store.isLasting else { return }
        state.withLockedValue { state in
            for (key, value) in changes { state.mirror.set(key, value) }
        }
    }

    // MARK: Memory

    /// - Returns: `nil` if the store does not fail.
    private func inMemory<Result>(_ body: (inout ChatStoreStep) throws -> Result) async throws -> Result? {
        guard state.withLockedValue({ $0.overlay != nil }) else { return nil }
        await memoryMutex.lock()
        defer { memoryMutex.unlock() }
        // Not within the lock: the step may ask this store something.
        let made = try state.withLockedValue({ $0.overlay }).map { try Self.perform(body, on: $0) }
        guard let (result, changes) = made else { return nil }
        state.withLockedValue { $0.overlay?.apply(changes) }
        return result
    }

    /// The step's view of the values ends with this call, so that changing them copies nothing.
    private static func perform<Result>(
        _ body: (inout ChatStoreStep) throws -> Result, on overlay: Overlay
    ) throws -> (Result, Changes) {
        var step = ChatStoreStep {
            overlay.value($0)
        } list: { prefix in
            overlay.keys(withPrefix: prefix)
        }
        return (try body(&step), step.changes)
    }

    /// - Parameter attempted: changes that may have been made although the step failed.
    private func replace(_ error: any Error, _ attempted: Changes) async {
        let read = try? await stepOfStore(NIOLockedValueBox([:])) { step in
            var values: [String: [UInt8]] = [:]
            for key in try step.keys(withPrefix: "") { values[key] = try? step.value(key) }
            return values
        }
        let isNew = state.withLockedValue { state in
            guard state.overlay == nil else {
                state.overlay?.writingFailed(attempted)
                return false
            }
            state.overlay = Overlay(base: read ?? state.mirror.values, isWhole: read != nil, attempted: attempted)
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

    /// Writes the changes since the failure to the store, if it is time for the next attempt.
    func retry() async {
        let isDue = state.withLockedValue { state in
            guard state.overlay != nil, System.monotonicClock >= state.retryAt else { return false }
            state.retryAt = System.monotonicClock + retryMilliseconds
            return true
        }
        guard isDue, await writeOverlay() else { return }
        // Steps went on in memory meanwhile. What they have changed is little: they wait until it is written, too.
        await memoryMutex.lock()
        defer { memoryMutex.unlock() }
        guard await writeOverlay() else { return }
        state.withLockedValue { state in
            if state.overlay?.isEmpty ?? true { state.overlay = nil }
        }
    }

    /// - Returns: whether the changes are in the store.
    private func writeOverlay() async -> Bool {
        // There may be room for small values even if there is none for logs.
        for isLog in [false, true] {
            guard await writeOverlay(ofLogs: isLog) else { return false }
        }
        return true
    }

    private func writeOverlay(ofLogs isLog: Bool) async -> Bool {
        guard let overlay = state.withLockedValue({ $0.overlay }) else { return false }
        let attempted = NIOLockedValueBox<Changes>([:])
        do {
            let merge = try await stepOfStore(attempted) { step in
                let merge = try overlay.merge(into: step, ofLogs: isLog)
                for (key, value) in merge.changes { step.set(key, value) }
                return merge
            }
            state.withLockedValue { $0.overlay?.merged(merge, of: overlay) }
            mirror(merge.changes)
            return true
        } catch {
            state.withLockedValue { [changes = attempted.withLockedValue { $0 }] in $0.overlay?.writingFailed(changes) }
            return false
        }
    }

    private static func isOfStore(_ error: any Error) -> Bool {
        guard let error = error as? ChatError else { return !(error is CancellationError) }
        return error.code == .storeFailed
    }
}
