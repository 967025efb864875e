/// Runs something that goes on until it is cancelled, such as a client's `run()`, for the time of `body`.
/// - Throws: what `body` throws; else what `run` throws, other than of being cancelled.
public func whileRunning<Result: Sendable>(
    _ run: @escaping @Sendable () async throws -> Void, _ body: () async throws -> Result
) async throws -> Result {
    let running = Task(operation: run)
    let result: Result
    do {
        result = try await body()
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
    running.cancel()
    do {
        try await running.value
    } catch is CancellationError {
        // As it was told.
    }
    return result
}
