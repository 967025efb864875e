import Logging
import Synchronization
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct OutageLogTests {
    @Test func `warns once per outage, once more where an operator must act, and informs when it is over`() {
        let recorder = LogRecorder()
        let lost = ConnectionFailure(.connectionLost(outcomeUnknown: true))
        let refused = ConnectionFailure(.notConnected, reason: "connection refused")
        let password = ConnectionFailure(.server("WRONGPASS"))
        var log = OutageLog(logger: recorder.logger)
        log.recovered()
        for failure in [lost, refused, refused, password, refused, password] {
            log.failed(failure)
        }
        log.recovered()
        log.recovered()
        log.failed(refused)
        let loud = recorder.entries.filter { $0.level >= .info }
        #expect(loud.map(\.level) == [.warning, .warning, .info, .warning])
    }
}

/// Keeps what is logged, with its metadata, for tests to look at.
final class LogRecorder: Sendable {
    struct Entry: Sendable {
        let level: Logger.Level
        let text: String
    }

    private let recorded = Mutex<[Entry]>([])

    var entries: [Entry] { recorded.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(recorder: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let text = "\(event.message) \(metadata) \(event.metadata ?? [:])"
            recorder.recorded.withLock { $0.append(Entry(level: event.level, text: text)) }
        }
    }
}
