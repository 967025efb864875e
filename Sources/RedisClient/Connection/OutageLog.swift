import Logging

/// One warning per outage, one more if it turns out that an operator must act (a refused password, a wrong
/// configuration), one info when it is over. Every further attempt is debug.
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
