/// Bounds the time of work that cannot be cancelled, such as a name lookup.
public enum TimeLimit {
    /// Runs `body` with a timeout. Unlike a task group, this does not wait for `body` to end after the timeout.
    /// - Returns: the result; `nil` after the timeout, or if the task is cancelled.
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
