/// A lock among all clients that share a store, of this process and of others. It is free at once if its holder's
/// process has ended, and after 5 s if its holder is suspended.
struct StoreLock: Sendable {
    private static let renewal: Duration = .seconds(1)
    private static let pollMilliseconds: ClosedRange<Int64> = 50...150

    let store: any ChatStore
    let key: String
    /// Identifies the holder; a new one for each use.
    let holder: String

    /// Runs `body` while nobody else runs theirs.
    /// - Throws: what `body` throws; `CancellationError`; ``ChatError`` with code `store_failed`.
    func withLock<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        do {
            while try await !tryLock() {
                try await Task.sleep(for: .milliseconds(Int64.random(in: Self.pollMilliseconds)))
            }
            let result = try await withLimit({ try await renewForever() }, body)
            await release()
            return result
        } catch {
            // Even if locking was cancelled: the step may have been made.
            await release()
            throw error
        }
    }

    /// Shows other processes that the holder is not suspended, until the task is cancelled.
    private func renewForever() async throws -> Never {
        while true {
            try await Task.sleep(for: Self.renewal)
            try? await store.step { [self] step in if try isMine(step) { set(&step) } }
        }
    }

    /// - Returns: whether it was free.
    private func tryLock() async throws -> Bool {
        try await store.step { [self] step in
            guard try !(lease(step)?.isHeldByOther(than: holder) ?? false) else { return false }
            set(&step)
            return true
        }
    }

    /// Unlocks in a task of its own, since this one may be cancelled.
    private func release() async {
        await Task { try? await store.step { [self] step in if try isMine(step) { step.set(key, nil) } } }.value
    }

    private func lease(_ step: ChatStoreStep) throws -> Lease? {
        try step.value(key).flatMap { Lease(json: try? JSONParser.parse($0)) }
    }

    private func isMine(_ step: ChatStoreStep) throws -> Bool { try lease(step)?.instance == holder }

    private func set(_ step: inout ChatStoreStep) {
        step.set(key, JSONValue.object(Lease.mine(instance: holder).json).bytes)
    }
}
