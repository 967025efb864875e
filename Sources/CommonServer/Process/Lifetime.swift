import CommonLogging
import CommonUtil
import Logging
import ServiceLifecycle
import Synchronization

/// A process between its start and its end.
final class Lifetime: Sendable {
    private struct Running {
        let group: ServiceGroup
        let parts: ServerDependencies
        let logger: Logger
    }

    private struct State {
        var running: Running?
        /// Why the process goes down, where nobody asked for it.
        var failure: (any Error)?
    }

    private let name: String
    private let state = Mutex(State())

    init(name: String) { self.name = name }

    /// Returns after a shutdown that was asked for.
    /// - Throws: what made the server or one of its services fail.
    func run(_ parts: ServerDependencies, _ environment: ServerEnvironment) async throws {
        let application = ChatApplication(
            parts: parts, environment: environment,
            onFailure: { error in
                environment.logger.critical("A service failed", metadata: ["error": "\(SecretMask.text(of: error))"])
                self.fail(ProcessExit(error: error, host: environment.host, port: environment.port), error)
            })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [application], logger: environment.frameworkLogger))
        state.withLock { $0.running = Running(group: group, parts: parts, logger: environment.logger) }
        try await group.run()
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Asked for by a signal.
    func stop() async {
        guard let running = state.withLock({ $0.running }) else { ProcessExit.success.exit(as: name) }
        running.logger.info("Stopping")
        let limit = running.parts.shutdownLimit
        // Asked for, so it is no failure that something hung: what it was is in the log of the last requests.
        await stop(running, otherwise: ProcessExit(code: 0, line: "stopped after \(limit) with something left undone"))
    }

    private func fail(_ exit: ProcessExit, _ error: any Error) {
        let running = state.withLock { state -> Running? in
            guard state.failure == nil else { return nil }
            state.failure = error
            return state.running
        }
        guard let running else { return }
        Task { await stop(running, otherwise: exit) }
    }

    /// Not ready, then the server's own steps, then the HTTP server and the services; `otherwise` ends the process where
    /// that hangs.
    private func stop(_ running: Running, otherwise exit: ProcessExit) async {
        let name = name
        Task {
            try await Task.sleep(for: running.parts.shutdownLimit)
            exit.exit(as: name)
        }
        running.parts.health.startDraining()
        for step in running.parts.beforeStopping { await step() }
        await running.group.triggerGracefulShutdown()
    }
}
