import Glibc
import Logging
import UnixSignals

/// Handles SIGTERM and SIGINT: the first shuts the process down gracefully, the second ends it at once.
enum StopSignals {
    /// Begins to handle the signals.
    /// - Parameter onFirst: begins the shutdown. It runs in a task of its own, so that a second signal is handled meanwhile.
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

/// Handles SIGHUP: new connections get the certificate that is in the files now. A server without TLS ignores the signal,
/// so that an operator can send it to all servers.
enum ReloadSignal {
    /// Begins to handle the signal.
    static func handle(_ environment: ServerEnvironment) async {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        // Runs until the process ends.
        Task {
            for await _ in signals { reload(environment) }
        }
    }

    private static func reload(_ environment: ServerEnvironment) {
        guard let certificates = environment.certificates else {
            return environment.logger.info("SIGHUP: there is no certificate to reload")
        }
        do {
            try certificates.reload()
            environment.logger.info("The certificate was reloaded")
        } catch {
            environment.logger.error(
                "The certificate cannot be reloaded, the old one stays", metadata: ["reason": "\(error)"])
        }
    }
}
