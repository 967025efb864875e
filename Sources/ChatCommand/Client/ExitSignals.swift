import Dispatch
import Foundation
import Synchronization

/// Ends the process with 130 at SIGINT, 143 at SIGTERM and 129 at SIGHUP. Whatever a command keeps is whole after any death,
/// so nothing is waited for.
enum ExitSignals {
    /// Dispatch objects may be used from any thread (dispatch(3)); their Swift types just do not say so.
    private struct Source: @unchecked Sendable {
        let source: any DispatchSourceSignal
    }

    private static let sources = Mutex<[Source]>([])
    private static let cleanUps = Mutex<[@Sendable () -> Void]>([])

    // Once, on first use.
    private static let registration: Void = {
        // A closed pipe is noticed where it is written to.
        signal(SIGPIPE, SIG_IGN)
        // A queue of its own: the threads of tasks may all be busy.
        let queue = DispatchQueue(label: "signals")
        for number in [SIGINT, SIGTERM, SIGHUP] {
            let before = signal(number, SIG_IGN)
            // Under nohup it is to outlive the terminal.
            if number == SIGHUP, isIgnoring(before) { continue }
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                for cleanUp in cleanUps.withLock({ $0 }) { cleanUp() }
                _exit(128 + number)
            }
            source.resume()
            sources.withLock { $0.append(Source(source: source)) }
        }
    }()

    /// Handlers are functions, which Swift does not compare; that of an ignored signal is a number in their place.
    private static func isIgnoring(_ handler: (@convention(c) (Int32) -> Void)?) -> Bool {
        let ignoring: (@convention(c) (Int32) -> Void)? = SIG_IGN
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(ignoring, to: Int.self)
    }

    /// Handles the signals from here on.
    /// - Parameter cleanUp: called before the process ends by a signal, such as for restoring the terminal.
    static func install(cleanUp: (@Sendable () -> Void)? = nil) {
        if let cleanUp { cleanUps.withLock { $0.append(cleanUp) } }
        _ = registration
    }
}
