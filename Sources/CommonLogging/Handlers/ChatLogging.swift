import CommonUtil
import Glibc
import Logging
import Metrics
import Synchronization

/// The logging of a process.
public enum ChatLogging {
    private static let output = Mutex<QueuedLogOutput?>(nil)

    /// Created after ``bootstrap(service:level:format:)`` has set the metrics factory: a metric that is created before counts
    /// nothing.
    private static let droppedLines = Counter(label: "chat_log_lines_dropped_total")

    /// Sets the log handler of all loggers of this process. Lines are written to standard output by a thread of its own, so
    /// that callers never wait for the reader. Only the first call has an effect, since swift-log allows one bootstrap.
    /// - Parameters:
    ///   - service: the name of the process in each line.
    ///   - level: the lowest level that is written.
    ///   - format: the format of lines.
    public static func bootstrap(service: String, level: LogLevel, format: LogFormat) {
        let output = output.withLock { output -> QueuedLogOutput? in
            guard output == nil else { return nil }
            // Standard error is reserved for the line that says why a process ends.
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

    /// Waits until all lines are written. Blocks the thread, so it is only for the end of a process.
    /// - Parameter limit: the maximum time.
    public static func flush(within limit: Duration) {
        output.withLock { $0 }?.flush(within: limit)
    }

    /// The line in place of dropped lines.
    static func dropped(lines: Int, service: String, format: LogFormat) -> [UInt8] {
        let record = LogRecord(
            time: .now, level: .warning, service: service, label: "log",
            message: "\(lines) lines dropped: the reader of this log is too slow",
            metadata: ["lines": .stringConvertible(lines)])
        return record.line(format: format)
    }
}
