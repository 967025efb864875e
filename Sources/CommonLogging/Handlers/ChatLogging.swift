import CommonUtil
import Glibc
import Logging
import Metrics
import Synchronization

/// The logging of a process.
public enum ChatLogging {
    private static let output = Mutex<QueuedLogOutput?>(nil)

    /// Made by ``bootstrap(service:level:format:)`` once there is a registry: a metric that is made before counts nothing.
    private static let droppedLines = Counter(label: "chat_log_lines_dropped_total")

    /// Makes every `Logger` of this process write lines of `format` at `level` and above to standard output, by a
    /// thread that waits for its reader so that nobody else does. Only the first call counts: swift-log allows no second.
    public static func bootstrap(service: String, level: LogLevel, format: LogFormat) {
        let output = output.withLock { output -> QueuedLogOutput? in
            guard output == nil else { return nil }
            // Standard error is left for the one line that tells why a process ends.
            let made = QueuedLogOutput(
                STDOUT_FILENO, notice: { dropped(lines: $0, service: service, format: format) },
                onDrop: { droppedLines.increment() })
            output = made
            return made
        }
        guard let output else { return }
        LoggingSystem.bootstrap(
            { label, provider in
                StructuredLogHandler(
                    label: label, service: service, level: level, format: format, output: output,
                    metadataProvider: provider)
            }, metadataProvider: nil)
        _ = PrometheusRegistry.bootstrap()
        droppedLines.increment(by: 0)
    }

    /// Waits until what was logged is written, at most so long. For the end of a process: it blocks.
    public static func flush(within limit: Duration) {
        output.withLock { $0 }?.flush(within: limit)
    }

    /// The line that stands in place of lines that nobody read in time.
    static func dropped(lines: Int, service: String, format: LogFormat) -> [UInt8] {
        let record = LogRecord(
            time: .now, level: .warning, service: service, label: "log",
            message: "\(lines) lines dropped: the reader of this log is too slow",
            metadata: ["lines": .stringConvertible(lines)])
        return record.line(format: format)
    }
}
