import CommonLogging
import Logging

/// A ``RateLimitedLogger`` under the name that this target still uses.
struct QuietLog {
    private let warnings: RateLimitedLogger

    init(logger: Logger, message: Logger.Message) {
        warnings = RateLimitedLogger(logger: logger, message: message)
    }

    func note(_ metadata: @autoclosure () -> Logger.Metadata) { warnings.warning(metadata()) }
}
