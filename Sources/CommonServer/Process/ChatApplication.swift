import CommonLogging
import CommonUtil
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// A whole server: services, health and metrics routes, HTTP. Tests run it in-process on port 0.
public struct ChatApplication: Service {
    private let services: [any Service]
    private let logger: Logger

    /// - Parameters:
    ///   - onServerRunning: gets a listening channel, whose address tells the port.
    ///   - onFailure: hears of a service that fails and has to shut the application down gracefully; without it the
    ///     failure cancels all other services.
    public init(
        parts: ServerDependencies, environment: ServerEnvironment,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in },
        onFailure: (@Sendable (any Error) -> Void)? = nil
    ) {
        let preparation = Preparation(steps: parts.beforeServing, health: parts.health)
        services =
            (parts.services + [preparation]).map { Watched(service: $0, onFailure: onFailure) }
            + Self.listeners(parts, environment, onServerRunning)
        logger = environment.frameworkLogger
    }

    public func run() async throws {
        try await ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logger)).run()
    }

    /// That of the public port, and that of a port of its own for `/metrics`.
    private static func listeners(
        _ parts: ServerDependencies, _ environment: ServerEnvironment,
        _ onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> [any Service] {
        var parts = parts
        parts.routes.addHealth(parts.health)
        guard let metricsPort = environment.metricsPort else {
            parts.routes.addMetrics(environment.metrics)
            return [listener(parts, environment, port: environment.port, onServerRunning)]
        }
        var metrics = ServerDependencies(routes: Routes(), health: parts.health)
        metrics.routes.addMetrics(environment.metrics)
        return [
            MetricsListener(listener: listener(metrics, environment, port: metricsPort) { _ in }),
            listener(parts, environment, port: environment.port, onServerRunning),
        ]
    }

    private static func listener(
        _ parts: ServerDependencies, _ environment: ServerEnvironment, port: Int,
        _ onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) -> Listener {
        let health = parts.health
        let routes = parts.routes
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
                }, headTimeout: parts.headTimeout, date: date),
            logger: environment.frameworkLogger)
        let begin = parts.beginConnection ?? { channel, http in try http.begin(channel) }
        let gate = ConnectionGate(
            maximumPerAddress: environment.maximumConnectionsPerAddress, trustedProxies: environment.trustedProxies,
            metrics: environment.metrics, logger: environment.frameworkLogger)
        return Listener(
            host: environment.host, port: port,
            eventLoops: environment.eventLoopGroup.makeIterator().map { $0 },
            setup: { [certificates = environment.certificates] channel in
                guard let access = gate.access(for: channel) else { return channel.close(promise: nil) }
                try certificates?.encrypt(channel)
                switch access {
                case .all: try begin(channel, http)
                case .operations: try http.begin(channel, access: access)
                }
            }, http: http, onRunning: onServerRunning, logger: environment.frameworkLogger)
    }
}

/// Does what must be done before the first request, beside the HTTP server, which answers health checks meanwhile.
private struct Preparation: Service {
    let steps: [@Sendable () async throws -> Void]
    let health: HealthRegistry

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                for step in steps { try await step() }
            }
        } catch {
            // The process is stopped before it was ready; a cancelled step may have an error of its own for that.
            guard error is CancellationError || Task.isCancelled || Task.isShuttingDownGracefully else { throw error }
            return
        }
        health.startServing()
        try? await gracefulShutdown()
    }
}

/// Turns the failure of a service into a graceful shutdown. Cancelling would cut requests off, and NIO traps where a
/// connection is accepted just then ("Deinited NIOAsyncWriter without calling finish()").
private struct Watched: Service {
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
