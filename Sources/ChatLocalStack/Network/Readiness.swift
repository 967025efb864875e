import Foundation

/// Waiting for a child that can only be asked whether it is ready.
enum Readiness {
    /// Asks `isReady` with a short backoff until it says yes; notices at once when the process ends. `isReady` may
    /// block a little: it does not run on Swift's own few threads.
    /// - Throws: `LocalStackError` with the last log lines if the process ended or `timeout` is over;
    ///   `CancellationError`.
    static func wait(
        for process: LocalProcess, named name: String, timeout: Duration,
        isReady: @escaping @Sendable () throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + timeout
        var pause = Duration.milliseconds(5)
        while true {
            if let status = process.exitStatus {
                throw LocalStackError(failure("\(name) \(status)", process))
            }
            if await asked(isReady) { return }
            guard ContinuousClock.now < deadline else {
                throw LocalStackError(failure("\(name) is not ready after \(timeout)", process))
            }
            _ = try await process.waitForExit(timeout: pause)
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    private static func asked(_ isReady: @escaping @Sendable () throws -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: (try? isReady()) ?? false) }
        }
    }

    private static func failure(_ what: String, _ process: LocalProcess) -> String {
        let lines = process.logTail()
        guard !lines.isEmpty else { return what }
        return ([what + ". Last lines of \(process.command.logFile):"] + lines).joined(separator: "\n  ")
    }
}
