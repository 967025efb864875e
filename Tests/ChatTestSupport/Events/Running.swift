/// Runs something that goes on until it is told to stop, such as a client's or a service group's `run()`, for the time
/// of `body`, and waits for its end.
/// - Parameter stop: how it is told; by cancelling it where this is `nil`.
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
        // As it was told.
    }
    return result
}
