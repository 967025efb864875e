import ChatLocalStack
import Foundation
import Synchronization

/// One run of `swift test` as a child process: passes its output on, watches its progress and ends what it has started.
final class TestRun: Sendable {
    private enum End: Sendable {
        case exited(ExitStatus)
        case interrupted
        case stalled
    }

    private let process: LocalProcess
    private let folder: String
    private let output: NamedPipe
    private let events: NamedPipe
    private let progress: Mutex<TestProgress>

    /// Starts the tests.
    /// - Throws: `LocalStackError` if the process cannot be started.
    init(swift: String, arguments: [String]) throws {
        folder = try PrivateFolder.temporary(prefix: "chat-test")
        output = try NamedPipe(path: "\(folder)/output")
        events = try NamedPipe(path: "\(folder)/events")
        progress = Mutex(TestProgress(start: .now))
        // SwiftPM hands SIGINT on to the test process, and no other signal.
        process = try LocalProcess(
            .init(
                swift, arguments + ["--event-stream-output-path", events.path, "--event-stream-version", "0"],
                environment: ProcessInfo.processInfo.environment, logFile: output.path, stopSignal: SIGINT))
    }

    deinit { PrivateFolder.remove(folder) }

    /// Waits for the end of the tests, a stall or an interrupt.
    /// - Returns: the exit code: the tests' own; 1 after a stall; 130 after an interrupt.
    func run() async throws -> Int32 {
        let interrupts = await Interrupts()
        Thread { [self] in
            output.read { try? FileHandle.standardOutput.write(contentsOf: $0) }
        }.start()
        Thread { [self] in
            events.read { chunk in progress.withLock { $0.read(chunk, at: .now) } }
        }.start()
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
        let pending = progress.withLock { $0.pending }
        let names = pending.isEmpty ? "none" : pending.joined(separator: ", ")
        switch end {
        case .exited(.exited(let code)):
            output.waitForEnd(.seconds(2))
            return code
        case .exited(let status):
            output.waitForEnd(.seconds(2))
            Terminal.printError("chat: the tests: \(status); pending: \(names)")
            return 1
        case .interrupted:
            Terminal.printError("\nStopping …")
            await stop()
            return 130
        case .stalled:
            let seconds = TestProgress.stallLimit.components.seconds
            await stop()
            Terminal.printError(
                "\nchat: no test had begun or ended for \(seconds) s, so the run was ended; pending: \(names)")
            return 1
        }
    }

    private func stall() async -> End {
        while !progress.withLock({ $0.isStalled(at: .now) }) {
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return .interrupted }
        }
        return .stalled
    }

    /// Asks the tests to stop, which then stop their engines and servers, and ends what is left.
    private func stop() async {
        // Of its own, since the tasks above are cancelled.
        await Task { [process, output] in
            let started = ProcessTree.members(below: process.pid)
            _ = try? await process.stop(timeout: .seconds(20))
            output.waitForEnd(.seconds(2))
            await ProcessTree.end(started, gracePeriod: .seconds(15))
        }.value
    }
}
