import NIOCore
import ServiceLifecycle

/// The parts of one server: its routes, checks, services and steps.
public struct ServerDependencies: Sendable {
    /// The routes, without those for health and metrics.
    public var routes: Routes
    /// The readiness checks.
    public var health: HealthRegistry
    /// The services, started in this order before the listener, and stopped in the opposite order after it.
    public var services: [any Service]
    /// The steps before the first request, for example migrations, run in this order. Until they return, readiness and all
    /// routes are 503, and sockets are refused with 1013; if one throws, the process ends.
    public var beforeServing: [@Sendable () async throws -> Void]
    /// The steps on SIGTERM after readiness is 503, before the listener and the services are shut down.
    public var beforeStopping: [@Sendable () async -> Void]
    /// Time for the head of a request.
    public var headTimeout = RequestBounds.headTimeout
    /// Sets up the pipeline of each connection, on its event loop, for a server with other protocols than HTTP. TLS is
    /// there already.
    public var beginConnection: (@Sendable (AcceptedConnection, HTTPConnections) throws -> Void)?
    /// Time from SIGTERM to the end of the process, even if something hangs.
    public var shutdownLimit: Duration

    /// Creates the parts of a server; see the properties.
    public init(
        routes: Routes, health: HealthRegistry, services: [any Service] = [],
        beforeServing: [@Sendable () async throws -> Void] = [],
        beforeStopping: [@Sendable () async -> Void] = [],
        beginConnection: (@Sendable (AcceptedConnection, HTTPConnections) throws -> Void)? = nil,
        shutdownLimit: Duration = .seconds(30)
    ) {
        self.routes = routes
        self.health = health
        self.services = services
        self.beforeServing = beforeServing
        self.beforeStopping = beforeStopping
        self.beginConnection = beginConnection
        self.shutdownLimit = shutdownLimit
    }
}
