import CommonUtil
import Logging
import Synchronization

/// The logging of a process.
public enum ChatLogging {
    private static let isBootstrapped = Mutex(false)

    /// Makes every `Logger` of this process write lines of `format` at `level` and above. Only the first call counts:
    /// swift-log allows no second.
    public static func bootstrap(
        service: String, level: LogLevel, format: LogFormat,
        output: any LogOutput = FileDescriptorLogOutput.standardOutput
    ) {
        let isFirst = isBootstrapped.withLock { isBootstrapped in
            defer { isBootstrapped = true }
            return !isBootstrapped
        }
        guard isFirst else { return }
        LoggingSystem.bootstrap(
            { label, provider in
                StructuredLogHandler(
                    label: label, service: service, level: level, format: format, output: output,
                    metadataProvider: provider)
            }, metadataProvider: nil)
    }
}
