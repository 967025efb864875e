import CommonUtil
import Logging
import Synchronization

/// A warning about something that lasts: written at most once a minute.
final class RateLimitedWarning: Sendable {
    private let logger: Logger
    private let throttle = Mutex(Throttle(interval: .seconds(60)))

    init(_ logger: Logger) { self.logger = logger }

    func log(_ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Logger.Metadata = [:]) {
        let isDue = throttle.withLock { $0.pass(now: .now) } != nil
        if isDue { logger.warning(message(), metadata: metadata()) }
    }
}
