import Logging
import Synchronization

/// A warning about something that lasts: written at most once a minute.
final class RepeatedWarning: Sendable {
    private static let interval = Duration.seconds(60)

    private let logger: Logger
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    init(_ logger: Logger) { self.logger = logger }

    func log(_ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Logger.Metadata = [:]) {
        let isDue = last.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
        if isDue { logger.warning(message(), metadata: metadata()) }
    }
}
