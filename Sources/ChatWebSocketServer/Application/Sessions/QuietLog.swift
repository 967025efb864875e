import CommonUtil
import Logging

/// A warning that may come a thousand times a second and is written once a minute, with the number left out.
/// Confined to the event loop of its owner.
final class QuietLog {
    private let logger: Logger
    private let message: Logger.Message
    private var throttle = Throttle(interval: .seconds(60))

    init(logger: Logger, message: Logger.Message) {
        self.logger = logger
        self.message = message
    }

    func note(_ metadata: @autoclosure () -> Logger.Metadata) {
        guard let count = throttle.pass(now: .now) else { return }
        logger.warning(message, metadata: metadata().merging(["left_out": .stringConvertible(count - 1)]) { $1 })
    }
}
