import CommonLogging
import CommonUtil
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

public typealias ChatApplication = Application<RouterResponder<ChatRequestContext>>

/// Puts a server together: services, health and metrics routes, HTTP. Tests run it in-process on port 0.
/// `onServerRunning` gets the listening channel, whose address tells the port.
public func makeApplication(
    parts: ServerParts, environment: ServerEnvironment,
    onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
) -> ChatApplication {
    let health = parts.health
    var routes = parts.routes
    routes.addHealth(health, metrics: environment.metrics)
    let middleware = RequestMiddleware(
        metrics: RequestMetrics(factory: environment.metrics, routes: routes.paths),
        cors: CORSPolicy(origins: environment.allowedOrigins), logger: environment.logger)
    return Application(
        responder: routes.build(outermost: middleware, isServing: { health.isServing }),
        server: parts.httpServer,
        configuration: ApplicationConfiguration(
            address: .hostname(environment.host, port: environment.port), backlog: 1_024),
        services: parts.services + [Preparation(steps: parts.beforeServing, health: health)],
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
        } catch is CancellationError {
            // The process is stopped before it was ready.
            return
        }
        health.startServing()
        try? await gracefulShutdown()
    }
}
