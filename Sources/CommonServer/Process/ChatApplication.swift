import CommonLogging
import CommonUtil
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

public typealias ChatApplication = Application<RouterResponder<ChatRequestContext>>

/// Puts a server together: services, health and metrics routes, HTTP. Tests run it in-process on port 0.
/// `onServerRunning` gets the listening channel, whose address tells the port. `onFailure` hears of a service that fails
/// and has to shut the application down gracefully; without it the failure cancels all other services.
public func makeApplication(
    parts: ServerParts, environment: ServerEnvironment,
    onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in },
    onFailure: (@Sendable (any Error) -> Void)? = nil
) -> ChatApplication {
    let health = parts.health
    var routes = parts.routes
    routes.addHealth(health, metrics: environment.metrics)
    let envelope = ResponseEnvelope(
        metrics: RequestMetrics(factory: environment.metrics, routes: routes.paths),
        cors: CORSPolicy(origins: environment.allowedOrigins), isEncrypted: environment.certificates != nil,
        logger: environment.logger)
    let directRoutes = routes.authenticator.map {
        DirectRoutes(
            routes: routes.directRoutes, authenticator: $0, envelope: envelope, isServing: { health.isServing })
    }
    return Application(
        responder: routes.build(
            outermost: RequestMiddleware(envelope: envelope), isServing: { health.isServing }),
        server: HTTPServerBuilder { [certificates = environment.certificates] responder in
            let connections =
                parts.connections?(responder)
                ?? ChatHTTPChannel(responder: responder, directRoutes: directRoutes, headTimeout: parts.headTimeout)
            return certificates.map { $0.encrypting(connections) } ?? connections
        },
        configuration: ApplicationConfiguration(
            address: .hostname(environment.host, port: environment.port), backlog: 1_024),
        services: (parts.services + [Preparation(steps: parts.beforeServing, health: health)])
            .map { Watched(service: $0, onFailure: onFailure) },
        onServerRunning: onServerRunning,
        eventLoopGroupProvider: .shared(environment.eventLoopGroup),
        logger: environment.frameworkLogger)
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
