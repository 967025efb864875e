import ChatLocalStack

extension LocalServer {
    public struct NotLogged: Error {}

    /// Waits for a line of the log, which a thread of the server writes some time after what it is about.
    /// - Returns: the first such line.
    /// - Throws: ``NotLogged`` after 20 s without one.
    @discardableResult
    public nonisolated func logLine(where isWanted: @Sendable (String) -> Bool) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            if let line = logTail(10_000).first(where: isWanted) { return line }
            guard ContinuousClock.now < deadline else { throw NotLogged() }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
