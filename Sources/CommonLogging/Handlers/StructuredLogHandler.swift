import CommonUtil
import Logging

/// A log handler that writes one line per event: a JSON object, or text for people.
public struct StructuredLogHandler: LogHandler {
    /// The lowest level that is written.
    public var logLevel: Logger.Level
    /// The metadata of all lines.
    public var metadata: Logger.Metadata = [:]
    /// Provides further metadata of each line.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let service: String
    private let format: LogFormat
    private let output: any LogOutput

    /// - Parameters:
    ///   - label: the label of the logger.
    ///   - service: the name of the process.
    ///   - output: the destination of lines.
    public init(
        label: String, service: String, level: LogLevel, format: LogFormat, output: any LogOutput,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
        self.service = service
        self.logLevel = level.loggerLevel
        self.format = format
        self.output = output
        self.metadataProvider = metadataProvider
    }

    /// A value of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes an event. Secrets in its metadata are masked (``SecretRedactor``).
    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = .string(SecretRedactor.text(of: error)) }
        let record = LogRecord(
            time: .now, level: event.level, service: service, label: label, message: event.message.description,
            metadata: all)
        output.write(record.line(format: format))
    }
}

extension LogLevel {
    /// The same level of swift-log.
    public var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}

/// A destination of log lines. Lines must not be split or mixed.
///
/// Lines are written on event loops, so an implementation must not block.
public protocol LogOutput: Sendable {
    /// Writes a line.
    /// - Parameter line: UTF-8 with its line feed.
    func write(_ line: [UInt8])
}
