import Synchronization

/// Runs something without an end of its own, such as a client's or a service group's `run()`, while `body` runs, then stops
/// it and waits for its end.
/// - Parameter stop: stops it; `nil` to cancel its task.
/// - Throws: what `body` throws; else what `run` throws, other than of being cancelled.
public func whileRunning<Result: Sendable>(
    _ run: @escaping @Sendable () async throws -> Void, stop: (@Sendable () async -> Void)? = nil,
    _ body: () async throws -> Result
) async throws -> Result {
    let running = Task(operation: run)
    func end() async {
        guard let stop else { return running.cancel() }
        await stop()
    }
    let result: Result
    do {
        result = try await body()
    } catch {
        await end()
        _ = await running.result
        throw error
    }
    await end()
    do {
        try await running.value
    } catch is CancellationError {
        // This is how it was stopped.
    }
    return result
}

/// Repeats something while something else happens, until it is stopped.
public final class Finish: Sendable {
    private let isOver = Atomic(false)

    public init() {}

    public func now() { isOver.store(true, ordering: .releasing) }

    /// Runs `body` until ``now()`` is called, or until it fails. It gets the number of runs before it.
    /// - Returns: the results, in order.
    public func repeating<Result: Sendable>(
        _ body: @Sendable (Int) async throws -> Result
    ) async throws -> [Result] {
        var results: [Result] = []
        while !isOver.load(ordering: .acquiring) { results.append(try await body(results.count)) }
        return results
    }
}
