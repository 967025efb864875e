import Glibc
import UnixSignals

/// SIGTERM and SIGINT: the first asks the process to stop, the second ends it at once.
enum StopSignals {
    /// - Parameter onFirst: begins the shutdown; not waited for, so that a second signal is heard meanwhile.
    static func handle(onFirst: @escaping @Sendable () async -> Void) async {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        // Runs until the process ends.
        Task {
            var isStopping = false
            for await signal in signals {
                guard !isStopping else { _exit(128 + signal.rawValue) }
                isStopping = true
                Task { await onFirst() }
            }
        }
    }
}
