import CommonUtil
import Logging

/// A warning that may occur a thousand times a second and is logged once a minute, with the number of those left out.
/// Confined to the event loop of its owner.
final class QuietLog {
    private let logger: Logger
    private let message: Logger.Message
    private var throttle = Throttle(interval: .seconds(60))

    init(logger: Logger, message: Logger.Message) {
        self.logger = logger
        self.message = message
    }

    /// Logs the warning, unless it was logged less than a minute ago.
    func note(_ metadata: @autoclosure () -> Logger.Metadata) {
        guard let count = throttle.pass(now: .now) else { return }
        logger.warning(message, metadata: metadata().merging(["left_out": .stringConvertible(count - 1)]) { $1 })
    }
}
