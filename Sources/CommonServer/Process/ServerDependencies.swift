import NIOCore
import ServiceLifecycle

/// What makes one server different from another.
public struct ServerDependencies: Sendable {
    public var routes: Routes
    public var health: HealthRegistry
    /// Started in this order, before the HTTP server; stopped in the opposite order, after it.
    public var services: [any Service]
    /// Done in this order while `/health/live` answers already: connecting, migrating. Until they return, readiness and
    /// all routes are 503; if one throws, the process ends.
    public var beforeServing: [@Sendable () async throws -> Void]
    /// Done on SIGTERM after readiness has turned to 503, before the HTTP server and the services are told to stop.
    public var beforeStopping: [@Sendable () async -> Void]
    /// In which the head of a request must have arrived.
    public var headTimeout = RequestBounds.headTimeout
    /// Begins the pipeline of each connection, on its event loop, where a server speaks more than HTTP. What has to stand
    /// before, like TLS, is there already.
    public var beginConnection: (@Sendable (any Channel, HTTPConnections) throws -> Void)?
    /// From SIGTERM to the end, whatever hangs.
    public var shutdownLimit: Duration

    public init(
        routes: Routes, health: HealthRegistry, services: [any Service] = [],
        beforeServing: [@Sendable () async throws -> Void] = [],
        beforeStopping: [@Sendable () async -> Void] = [],
        beginConnection: (@Sendable (any Channel, HTTPConnections) throws -> Void)? = nil,
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
