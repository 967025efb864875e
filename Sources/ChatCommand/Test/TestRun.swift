import ChatLocalStack
import Foundation
import Synchronization

/// One run of `swift test` as a child process: passes its output on, watches its progress and ends what it has started.
final class TestRun: Sendable {
    private let process: LocalProcess
    private let output: TestOutput
    private let progress: Mutex<TestProgress>

    /// Starts the tests.
    /// - Throws: `LocalStackError` if the process cannot be started.
    init(swift: String, arguments: [String]) throws {
        let output = try TestOutput()
        self.output = output
        progress = Mutex(TestProgress(start: .now))
        // SwiftPM hands SIGINT on to the test process, and no other signal.
        process = try LocalProcess(
            .init(
                swift, arguments, environment: ProcessInfo.processInfo.environment, logFile: output.path,
                stopSignal: SIGINT))
    }

    /// Waits for the end of the tests, a stall or an interrupt.
    /// - Returns: the exit code: the tests' own; 1 after a stall; 130 after an interrupt.
    func run() async throws -> Int32 {
        let interrupts = await Interrupts()
        let reading = Thread { [self] in
            output.relay { line in progress.withLock { $0.read(line: line, at: .now) } }
        }
        reading.start()
        let end = await withTaskGroup(of: End.self) { group in
            group.addTask { (try? await self.process.waitForExit()).map { .exited($0) } ?? .interrupted }
            group.addTask {
                await interrupts.wait()
                return .interrupted
            }
            group.addTask { await self.stall() }
            let first = await group.next() ?? .interrupted
            group.cancelAll()
            return first
        }
        switch end {
        case .exited(let status):
            output.finish()
            if case .exited(let code) = status { return code }
            Terminal.complain("chat: the tests \(status); pending: \(pendingText)")
            return 1
        case .interrupted:
            Terminal.complain("\nStopping …")
            await stop()
            return 130
        case .stalled:
            Terminal.complain(
                "chat: no test has begun or ended for \(TestProgress.stallLimit.components.seconds) s; pending: "
                    + "\(pendingText). Ending the run.")
            await stop()
            return 1
        }
    }

    private enum End: Sendable {
        case exited(ExitStatus)
        case interrupted
        case stalled
    }

    private func stall() async -> End {
        while !progress.withLock({ $0.isStalled(at: .now) }) {
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return .interrupted }
        }
        return .stalled
    }

    private var pendingText: String {
        let names = progress.withLock { $0.pending }
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    /// Asks the tests to stop, which then stop their engines and servers, and ends what is left.
    private func stop() async {
        // Of its own, since the tasks above are cancelled.
        await Task { [process, output] in
            let started = ProcessTree.members(below: process.pid)
            _ = try? await process.stop(timeout: .seconds(20))
            output.finish()
            await ProcessTree.end(started, patience: .seconds(15))
        }.value
    }
}
