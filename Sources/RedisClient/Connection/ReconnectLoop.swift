import CommonUtil
import Logging
import Metrics
import NIOCore
import ServiceLifecycle

/// Keeps one connection until the task is cancelled or shut down gracefully.
struct ReconnectLoop: Sendable {
    let connector: RedisConnector
    let logger: Logger
    let reconnects: Counter

    /// Connects, and connects again when the connection has ended.
    /// - Parameters:
    ///   - install: adds the handler of a new connection.
    ///   - onFailure: called when an attempt fails; the end of a connection is reported by its handler.
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
        var backoff = Backoff(first: configuration.minimumBackoff, longest: configuration.maximumBackoff)
        var outage = OutageLog(logger: logger)
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
            try? await Task.sleep(for: backoff.next())
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

/// Logs outages: one warning each, another one if an operator must act (a refused password, a wrong configuration), one
/// info at the end. Further attempts are logged at debug.
struct OutageLog {
    private let logger: Logger
    private var reported: String?
    private var attempts = 0

    init(logger: Logger) {
        self.logger = logger
    }

    mutating func failed(_ failure: ConnectionFailure) {
        attempts += 1
        let isNews = reported == nil || (failure.needsOperator && reported != failure.reason)
        let metadata: Logger.Metadata = ["reason": "\(failure.reason)", "attempts": .stringConvertible(attempts)]
        if isNews {
            reported = failure.reason
            logger.warning("Redis is away, reconnecting", metadata: metadata)
        } else {
            logger.debug("Redis is still away", metadata: metadata)
        }
    }

    mutating func recovered() {
        if reported == nil {
            logger.debug("connected to Redis")
        } else {
            logger.info("Redis is back", metadata: ["attempts": .stringConvertible(attempts)])
        }
        reported = nil
        attempts = 0
    }
}
