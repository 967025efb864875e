import Logging

/// A warning that may come a thousand times a second and is written once a minute, with the number left out.
/// Confined to the event loop of its owner.
final class QuietLog {
    private let logger: Logger
    private let message: Logger.Message
    private var lastWritten: ContinuousClock.Instant?
    private var leftOut = 0

    init(logger: Logger, message: Logger.Message) {
        self.logger = logger
        self.message = message
    }

    func note(_ metadata: @autoclosure () -> Logger.Metadata) {
        let now = ContinuousClock.now
        if let lastWritten, now - lastWritten < .seconds(60) {
            leftOut += 1
            return
        }
        logger.warning(message, metadata: metadata().merging(["left_out": .stringConvertible(leftOut)]) { $1 })
        lastWritten = now
        leftOut = 0
    }
}
