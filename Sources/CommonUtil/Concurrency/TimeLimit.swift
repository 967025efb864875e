/// Bounds the time of work that cannot be cancelled, as the look-up of a name.
public enum TimeLimit {
    /// Runs something for a bounded time. Unlike a task group this does not wait for the end of what it gives up on.
    /// - Returns: its result; `nil` where the time is over, or the task is cancelled.
    public static func within<Result: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async -> Result
    ) async -> Result? {
        let (results, continuation) = AsyncStream.makeStream(of: Result.self)
        let work = Task {
            continuation.yield(await body())
            continuation.finish()
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            continuation.finish()
        }
        defer {
            work.cancel()
            timer.cancel()
        }
        return await results.first { _ in true }
    }
}
