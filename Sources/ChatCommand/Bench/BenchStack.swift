import ChatLocalStack
import CommonUtil
import Foundation
import Logging

/// The platform as the benches measure it: durable as in production, without limits.
enum BenchStack {
    /// Starts a private stack, runs `body` and stops it, also when interrupted.
    static func run<Result: Sendable>(
        authMode: AuthMode, environmentOfKind: [ServerKind: [String: String]] = [:],
        body: @escaping @Sendable (LocalStack) async throws -> Result
    ) async throws -> Result {
        FileDescriptorLimit.raise()
        let environment = [
            Settings.authMode.name: authMode.rawValue, Settings.logLevel.name: LogLevel.warning.rawValue,
            Settings.limitPosts.name: "0", Settings.limitFrames.name: "0", Settings.limitSocketsPerUser.name: "0",
            Settings.limitSocketsPerAddress.name: "0", Settings.limitSockets.name: "0",
            Settings.drainSeconds.name: "0",
        ]
        let stack = try LocalStack(
            .init(environment: environment, environmentOfKind: environmentOfKind, durability: .full),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let interrupts = await Interrupts()
        Terminal.say("Starting a private stack …")
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
