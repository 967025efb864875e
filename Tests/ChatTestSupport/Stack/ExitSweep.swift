import ChatLocalStack
import Foundation
import Synchronization

/// Ends processes and removes folders when this process ends by `exit(3)`, as a test runner does: there is no test
/// after which what all tests share could be stopped. If this process crashes instead, the processes end by themselves
/// (``LocalProcess``) and the folders stay, for whoever looks for the reason. SIGINT and SIGTERM, by which a run is
/// stopped, end it by `exit(3)`, too.
enum ExitSweep {
    private struct Duty: Sendable {
        var processes: [LocalProcess] = []
        var folders: [String] = []
    }

    private static let duty = Mutex(Duty())
    private static let exitTimeout = Duration.seconds(10)

    // Once, on first use.
    private static let registration: Void = {
        atexit { ExitSweep.sweep() }
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { exit(128 + number) }
            source.resume()
            sources.withLock { $0.append(Source(source: source)) }
        }
    }()

    /// Dispatch objects may be used from any thread (dispatch(3)); their Swift types just do not say so.
    private struct Source: @unchecked Sendable {
        let source: any DispatchSourceSignal
    }

    private static let sources = Mutex<[Source]>([])

    static func endAtExit(_ process: LocalProcess) {
        _ = registration
        duty.withLock { $0.processes.append(process) }
    }

    static func removeAtExit(folder: String) {
        _ = registration
        duty.withLock { $0.folders.append(folder) }
    }

    private static func sweep() {
        let duty = duty.withLock { $0 }
        // The servers have nothing left to do; the engines would leave shared memory behind if they were killed.
        for process in duty.processes {
            process.terminate(signal: process.command.stopSignal)
        }
        let deadline = ContinuousClock.now + exitTimeout
        while duty.processes.contains(where: \.isRunning), ContinuousClock.now < deadline { usleep(20_000) }
        for process in duty.processes { process.kill() }
        for folder in duty.folders { PrivateFolder.remove(folder) }
    }
}
