import CommonLogging
import CommonUtil
import Hummingbird
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import CommonServer

private struct Broken: Error {}

/// Runs until it is stopped, or made to fail.
private final class Engine: Service {
    private let breaks: AsyncStream<Void>
    private let breaking: AsyncStream<Void>.Continuation
    let isStopped = Mutex(false)

    init() { (breaks, breaking) = AsyncStream.makeStream(of: Void.self) }

    func breakDown() { breaking.yield() }

    func run() async throws {
        let isBroken = await cancelWhenGracefulShutdown {
            await self.breaks.first { _ in true } != nil
        }
        if isBroken { throw Broken() }
        isStopped.withLock { $0 = true }
    }
}

/// What the process does around a server, without ending the process.
@Suite(.timeLimit(.minutes(1))) struct LifetimeTests {
    private let health = HealthRegistry()
    private let lifetime = Lifetime(name: "Test")

    private func environment() async throws -> ServerEnvironment {
        try ServerEnvironment(
            name: "Test", defaultPort: 0,
            configuration: try await ConfigurationSource(arguments: ["test"], environment: [:]),
            metrics: PrometheusRegistry(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func `a requested shutdown is no error`() async throws {
        let steps = Mutex<[String]>([])
        let engine = Engine()
        let stop: @Sendable () async -> Void = { [health] in
            steps.withLock { $0.append("draining \(health.isDraining), stopped \(engine.isStopped.withLock { $0 })") }
        }
        let dependencies = ServerDependencies(
            routes: Routes(), health: health, services: [engine], beforeStopping: [stop], shutdownLimit: .seconds(3_600)
        )
        let environment = try await environment()
        async let end: Void = lifetime.run(dependencies, environment)
        while !health.isServing { await Task.yield() }
        await lifetime.stop()
        try await end
        #expect(steps.withLock { $0 } == ["draining true, stopped false"])
        #expect(engine.isStopped.withLock { $0 })
    }

    @Test func `a failing preparation ends the process`() async throws {
        let engine = Engine()
        let dependencies = ServerDependencies(
            routes: Routes(), health: health, services: [engine], beforeServing: [{ throw Broken() }],
            shutdownLimit: .seconds(3_600))
        let environment = try await environment()
        await #expect(throws: Broken.self) { try await lifetime.run(dependencies, environment) }
        #expect(engine.isStopped.withLock { $0 })
        #expect(health.isDraining)
    }

    @Test func `a failing service ends the process`() async throws {
        let engine = Engine()
        let other = Engine()
        let dependencies = ServerDependencies(
            routes: Routes(), health: health, services: [other, engine], shutdownLimit: .seconds(3_600))
        let environment = try await environment()
        let end = Task { [lifetime] in try await lifetime.run(dependencies, environment) }
        while !health.isServing { await Task.yield() }
        engine.breakDown()
        await #expect(throws: Broken.self) { try await end.value }
        #expect(other.isStopped.withLock { $0 })
    }

    @Test func `a service that returns has failed`() async throws {
        struct Short: Service {
            func run() async throws {}
        }
        let dependencies = ServerDependencies(
            routes: Routes(), health: health, services: [Short()], shutdownLimit: .seconds(3_600))
        let environment = try await environment()
        await #expect(throws: (any Error).self) { try await lifetime.run(dependencies, environment) }
    }
}
