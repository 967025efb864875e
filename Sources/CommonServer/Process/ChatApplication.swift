import CommonLogging
import CommonUtil
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// A whole server: its services, the routes for health and metrics, and the listener. Tests run it in-process on port 0.
public struct ChatApplication: Service {
    private let services: [any Service]
    private let logger: Logger

    /// - Parameters:
    ///   - onServerRunning: called with a listening channel, whose address has the port.
    ///   - onFailure: called with the error of a service that fails; it has to shut the application down gracefully. Without
    ///     it the failure cancels all other services.
    public init(
        dependencies: ServerDependencies, environment: ServerEnvironment,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in },
        onFailure: (@Sendable (any Error) -> Void)? = nil
    ) {
        let preparation = Preparation(steps: dependencies.beforeServing, health: dependencies.health)
        services =
            (dependencies.services + [preparation]).map { SupervisedService(service: $0, onFailure: onFailure) }
            + Self.listeners(dependencies, environment, onServerRunning)
        logger = environment.frameworkLogger
    }

    /// Runs the server until its graceful shutdown is complete.
    public func run() async throws {
        try await ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logger)).run()
    }

    /// The listener of the public port and, where `CHAT_METRICS_PORT` is set, one for `/metrics`.
    private static func listeners(
        _ dependencies: ServerDependencies, _ environment: ServerEnvironment,
        _ onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> [any Service] {
        var dependencies = dependencies
        dependencies.routes.addHealth(dependencies.health)
        guard let metricsPort = environment.metricsPort else {
            dependencies.routes.addMetrics(environment.metrics)
            return [listener(dependencies, environment, port: environment.port, onServerRunning)]
        }
        var metrics = ServerDependencies(routes: Routes(), health: dependencies.health)
        metrics.routes.addMetrics(environment.metrics)
        return [
            MetricsListener(listener: listener(metrics, environment, port: metricsPort) { _ in }),
            listener(dependencies, environment, port: environment.port, onServerRunning),
        ]
    }

    private static func listener(
        _ dependencies: ServerDependencies, _ environment: ServerEnvironment, port: Int,
        _ onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> Listener {
        let health = dependencies.health
        let routes = dependencies.routes
        let isServing: @Sendable () -> Bool = { health.isServing }
        let envelope = ResponseEnvelope(
            metrics: RequestMetrics(factory: environment.metrics, routes: routes.paths),
            cors: CORSPolicy(origins: environment.allowedOrigins), isEncrypted: environment.certificates != nil,
            logger: environment.logger)
        let date = HTTPDate()
        let responder = routes.build(outermost: RequestMiddleware(envelope: envelope), isServing: isServing)
        let http = HTTPConnections(
            http: ChatHTTPChannel(
                responder: RouteResponder(routes: responder, date: date, logger: environment.frameworkLogger).respond,
                directRoutes: routes.authenticator.map {
                    DirectRoutes(
                        routes: routes.directRoutes, authenticator: $0, envelope: envelope, date: date,
                        isServing: isServing)
                },
                streamRoutes: routes.streamRoutes.isEmpty
                    ? nil
                    : StreamRoutes(
                        routes: routes.streamRoutes, envelope: envelope, date: date, isServing: isServing),
                uploadPaths: routes.uploadPaths, envelope: envelope,
                headTimeout: dependencies.headTimeout, date: date),
            logger: environment.frameworkLogger)
        let begin = dependencies.beginConnection ?? { connection, http in try http.begin(connection.channel) }
        let gate = ConnectionGate(
            maximumPerAddress: environment.maximumConnectionsPerAddress, trustedProxies: environment.trustedProxies,
            metrics: environment.metrics, logger: environment.frameworkLogger)
        return Listener(
            host: environment.host, port: port,
            eventLoops: environment.eventLoopGroup.makeIterator().map { $0 },
            setup: { [certificates = environment.certificates] channel in
                let connection = AcceptedConnection(channel)
                guard let access = gate.access(for: connection) else { return channel.close(promise: nil) }
                try certificates?.encrypt(channel)
                switch access {
                case .all: try begin(connection, http)
                case .operations: try http.begin(channel, access: access)
                }
            }, http: http, onRunning: onServerRunning, logger: environment.frameworkLogger)
    }
}

/// Runs the steps before the first request. The listener runs already, so that health checks get a response.
private struct Preparation: Service {
    let steps: [@Sendable () async throws -> Void]
    let health: HealthRegistry

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                for step in steps { try await step() }
            }
        } catch {
            // The process is stopped before it was ready. A cancelled step can throw an error of its own.
            guard error is CancellationError || Task.isCancelled || Task.isShuttingDownGracefully else { throw error }
            return
        }
        health.startServing()
        try? await gracefulShutdown()
    }
}

/// Turns the failure of a service into a graceful shutdown. A cancellation would abort requests, and NIO traps where a
/// connection is accepted at the same time ("Deinited NIOAsyncWriter without calling finish()").
private struct SupervisedService: Service {
    struct EndedUnexpectedly: Error {
        let service: String
    }

    let service: any Service
    let onFailure: (@Sendable (any Error) -> Void)?

    func run() async throws {
        do {
            try await service.run()
            guard !Task.isShuttingDownGracefully, !Task.isCancelled else { return }
            throw EndedUnexpectedly(service: "\(type(of: service))")
        } catch {
            guard let onFailure, !(error is CancellationError) else { throw error }
            onFailure(error)
            try? await gracefulShutdown()
        }
    }
}

/// The listener of `CHAT_METRICS_PORT`. Its errors have the port.
struct MetricsListener: Service {
    struct Failed: Error {
        let port: Int
        let reason: any Error
    }

    let listener: Listener

    func run() async throws {
        do {
            try await listener.run()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Failed(port: listener.port, reason: error)
        }
    }
}
