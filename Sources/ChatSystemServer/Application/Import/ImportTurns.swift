/// Lets a few callers run at a time, the others in the order in which they came.
actor ImportTurns {
    private var free: Int
    // Bounded by the number of calls that a key makes at a time.
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameter count: callers at a time.
    init(count: Int) { free = count }

    /// Runs `body` when it is its turn.
    nonisolated func run<Result: Sendable>(_ body: () async throws -> Result) async rethrows -> Result {
        await enter()
        do {
            let result = try await body()
            await leave()
            return result
        } catch {
            await leave()
            throw error
        }
    }

    private func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
