import Logging
import UnixSignals

/// SIGHUP: new connections get the certificate that lies in the files by now. A server without TLS has nothing to
/// reload and runs on all the same, so that an operator may send the signal to all servers alike.
enum ReloadSignal {
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
