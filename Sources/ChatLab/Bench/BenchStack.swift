import ChatLocalStack
import CommonUtil
import Foundation
import Logging

/// A private stack for benches: durable as in production, without rate limits.
enum BenchStack {
    /// Starts a private stack, runs `body` and stops it, also when interrupted.
    /// - Parameter configure: changes the configuration of the stack.
    static func run<Result: Sendable>(
        authMode: AuthMode, configure: (inout LocalStack.Configuration) -> Void = { _ in },
        body: @escaping @Sendable (LocalStack) async throws -> Result
    ) async throws -> Result {
        FileDescriptors.raiseLimit()
        let environment = [
            Settings.authMode.name: authMode.rawValue, Settings.logLevel.name: LogLevel.warning.rawValue,
            Settings.drainSeconds.name: "0",
        ].merging(Settings.withoutLimits) { $1 }
        var configuration = LocalStack.Configuration(environment: environment, durability: .full)
        configure(&configuration)
        let stack = try LocalStack(configuration, logger: .silent)
        let interrupts = await Interrupts()
        Terminal.print("Starting a private stack …")
        do {
            let result = try await withThrowingTaskGroup(of: Result.self) { group in
                group.addTask {
                    try await stack.start()
                    return try await body(stack)
                }
                group.addTask {
                    await interrupts.wait()
                    throw CancellationError()
                }
                guard let result = try await group.next() else { throw CancellationError() }
                group.cancelAll()
                return result
            }
            try await stack.stop()
            return result
        } catch {
            // Of its own, since this task may have been cancelled.
            await Task { try? await stack.stop() }.value
            throw error
        }
    }
}

extension LocalStack {
    /// Lets the message server append the feed of changes, or keeps it from that.
    func setAppendsFeed(_ appends: Bool) async throws {
        // The lease of somebody who never does anything.
        let holder = appends ? "holder = NULL" : "holder = 1, held_until = 'infinity'"
        try await postgres.run(sql: "UPDATE change_feed SET \(holder)")
    }
}

extension Logger {
    /// A logger without output, so that log lines do not mix with the figures.
    static var silent: Logger { Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() } }
}
