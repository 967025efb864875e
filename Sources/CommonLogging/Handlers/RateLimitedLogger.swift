import CommonUtil
import Logging
import Synchronization

/// Logs a warning that can be due thousands of times a second at most once per interval.
///
/// Each line has the number of warnings that were left out since the line before, as `left_out`.
public final class RateLimitedLogger: Sendable {
    private let logger: Logger
    private let message: Logger.Message
    private let throttle: Mutex<Throttle>

    /// - Parameters:
    ///   - message: the text of every line.
    ///   - interval: the shortest time between two lines.
    public init(logger: Logger, message: Logger.Message, interval: Duration = .seconds(60)) {
        self.logger = logger
        self.message = message
        throttle = Mutex(Throttle(interval: interval))
    }

    /// Logs the warning, or counts it where a line was written less than the interval ago.
    /// - Parameter metadata: evaluated only for a line that is written.
    public func warning(_ metadata: @autoclosure () -> Logger.Metadata = [:]) {
        guard let count = throttle.withLock({ $0.pass(now: .now) }) else { return }
        var metadata = metadata()
        if count > 1 { metadata["left_out"] = .stringConvertible(count - 1) }
        logger.warning(message, metadata: metadata)
    }
}
