import Logging
import Metrics
import NIOCore
import ServiceLifecycle

/// Keeps one connection until the task is cancelled or shut down gracefully.
struct ReconnectLoop: Sendable {
    let connector: RedisConnector
    let logger: Logger
    let reconnects: Counter

    /// `onFailure` is told each time an attempt fails; a connection that breaks is told by its handler.
    func run(
        install: @escaping RedisConnector.Install,
        onFailure: @escaping @Sendable (ConnectionFailure) -> Void
    ) async {
        await cancelWhenGracefulShutdown {
            await keepConnected(install: install, onFailure: onFailure)
        }
    }

    private func keepConnected(
        install: @escaping RedisConnector.Install,
        onFailure: @Sendable (ConnectionFailure) -> Void
    ) async {
        let configuration = connector.configuration
        var backoff = ReconnectBackoff(minimum: configuration.minimumBackoff, maximum: configuration.maximumBackoff)
        var outage = OutageLog(logger: logger)
        var generator = SystemRandomNumberGenerator()
        var isFirst = true
        while !Task.isCancelled {
            let failure: ConnectionFailure
            do {
                let link = try await connector.connect(install: install)
                outage.recovered()
                if !isFirst { reconnects.increment() }
                isFirst = false
                let start = ContinuousClock.now
                failure = ConnectionFailure(
                    .connectionLost(outcomeUnknown: true), reason: await untilLost(link))
                backoff.connectionEnded(after: start.duration(to: .now))
            } catch {
                failure = ConnectionFailure(connecting: error)
                if !Task.isCancelled { onFailure(failure) }
            }
            if Task.isCancelled { return }
            outage.failed(failure)
            // Only cancellation ends the sleep early, and the loop's condition sees that.
            try? await Task.sleep(for: backoff.next(using: &generator))
        }
    }

    private func untilLost(_ link: RedisLink) async -> String {
        await withTaskCancellationHandler {
            (try? await link.lost.get()) ?? "closed"
        } onCancel: {
            link.shutDown()
        }
    }
}
