import Logging

/// The log line of one answered request. It holds the path without its query, where access tokens may stand, and of
/// methods only those that are known: any word may stand there, a token, too.
public struct RequestLog: Sendable {
    private static let knownMethods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    /// A method as logs and metrics have it: one of few.
    public static func shown(method: String) -> String { knownMethods.contains(method) ? method : "other" }

    public var method: String
    public var path: String
    public var status: Int
    public var duration: Duration

    public init(method: String, pathAndQuery: String, status: Int, duration: Duration) {
        self.method = Self.shown(method: method)
        self.path = Self.withoutQuery(pathAndQuery)
        self.status = status
        self.duration = duration
    }

    /// Faults of ours are warnings, refusals are info, the rest is debug: the log of a busy server stays readable.
    public var level: Logger.Level { Self.level(status: status) }

    public static func level(status: Int) -> Logger.Level {
        switch status {
        case 500...: .warning
        case 400...: .info
        default: .debug
        }
    }

    public func write(to logger: Logger) {
        guard logger.logLevel <= level else { return }
        let milliseconds = Double(duration.components.attoseconds / 1_000_000_000_000) / 1_000
        let total = Double(duration.components.seconds) * 1_000 + milliseconds
        logger.log(
            level: level, "\(method) \(path) \(status)",
            metadata: [
                "method": "\(method)", "path": "\(path)", "status": .stringConvertible(status),
                "milliseconds": .stringConvertible(total),
            ])
    }

    private static func withoutQuery(_ path: String) -> String {
        String(path.prefix { $0 != "?" && $0 != "#" }.prefix(512))
    }
}
