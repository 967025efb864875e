import CommonLogging
import CommonUtil
import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// The run of a server's process, from the start of its services to its exit.
final class Lifetime: Sendable {
    private struct Running {
        let group: ServiceGroup
        let dependencies: ServerDependencies
        let logger: Logger
    }

    private struct State {
        var running: Running?
        /// The error that made the process stop; `nil` for a requested shutdown.
        var failure: (any Error)?
    }

    private let name: String
    private let state = Mutex(State())

    init(name: String) { self.name = name }

    /// Runs the server. Returns after a requested shutdown.
    /// - Throws: the error of the server, or of one of its services.
    func run(_ dependencies: ServerDependencies, _ environment: ServerEnvironment) async throws {
        let application = ChatApplication(
            dependencies: dependencies, environment: environment,
            onFailure: { error in
                environment.logger.critical(
                    "A service failed", metadata: ["error": "\(SecretRedactor.text(of: error))"])
                self.fail(ProcessExit(error: error, host: environment.host, port: environment.port), error)
            })
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [application], logger: environment.frameworkLogger))
        state.withLock { $0.running = Running(group: group, dependencies: dependencies, logger: environment.logger) }
        try await group.run()
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Shuts the process down, as a signal requests. Ends it with 0 even if something hangs longer than the limit.
    func stop() async {
        guard let running = state.withLock({ $0.running }) else { ProcessExit.success.exit(as: name) }
        running.logger.info("Stopping")
        let limit = running.dependencies.shutdownLimit
        // A requested shutdown is not a failure, even if something hung. The log of the last requests shows what it was.
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

    /// Makes the server not ready, runs its own steps, and then shuts down the listener and the services.
    /// - Parameter exit: ends the process where that takes longer than the limit.
    private func stop(_ running: Running, otherwise exit: ProcessExit) async {
        let name = name
        Task {
            try await Task.sleep(for: running.dependencies.shutdownLimit)
            exit.exit(as: name)
        }
        running.dependencies.health.startDraining()
        for step in running.dependencies.beforeStopping { await step() }
        await running.group.triggerGracefulShutdown()
    }
}

/// The exit code of a process, and the line on standard error that says why it ended.
struct ProcessExit: Equatable {
    let code: Int32
    let line: String?

    /// The exit after a requested shutdown.
    static let success = ProcessExit(code: 0, line: nil)

    init(code: Int32, line: String?) {
        self.code = code
        self.line = line
    }

    /// The exit for an error that ended the process.
    /// - Parameters:
    ///   - host: where the server was to listen.
    ///   - port: the port there.
    init(error: any Error, host: String, port: Int) {
        switch error {
        case let error as ConfigurationError:
            self.init(code: ConfigurationError.exitCode, line: error.description)
        case let error as MetricsListener.Failed:
            self.init(error: error.reason, host: host, port: error.port)
        case let error as IOError where error.errnoCode == EADDRINUSE:
            self.init(code: 1, line: "port \(port) of \(host) is in use")
        case let error as IOError where error.errnoCode == EACCES:
            self.init(code: 1, line: "cannot listen on port \(port) of \(host): \(String(cString: strerror(EACCES)))")
        case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
            self.init(wrongHost: host)
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            self.init(wrongHost: host)
        default:
            self.init(code: 1, line: "stopped by an error: \(SecretRedactor.text(of: error))")
        }
    }

    private init(wrongHost host: String) {
        self.init(code: ConfigurationError.exitCode, line: ListenAddress.refusal(of: host).description)
    }

    /// Flushes the log, writes the line to standard error, and ends the process. Waits at most a second for the reader of
    /// each.
    func exit(as name: String) -> Never {
        ChatLogging.flush(within: .seconds(1))
        if let line {
            let standardError = QueuedLogOutput(STDERR_FILENO)
            standardError.write(Array("\(name): \(line)\n".utf8))
            standardError.flush(within: .seconds(1))
        }
        Glibc.exit(code)
    }
}
