import Logging

/// The log line of a request. It has the path without the query, which can contain an access token, and only known
/// methods, since a client can send any text as a method.
public struct RequestLog: Sendable {
    private static let knownMethods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    /// Returns a known method as it is, and `other` for any other.
    public static func shown(method: String) -> String { knownMethods.contains(method) ? method : "other" }

    /// The method, or `other`.
    public var method: String
    /// The path without the query, at most 512 characters.
    public var path: String
    /// The status of the response.
    public var status: Int
    /// The time from the request's head to the response.
    public var duration: Duration

    /// Creates the line of a request.
    public init(method: String, pathAndQuery: String, status: Int, duration: Duration) {
        self.method = Self.shown(method: method)
        self.path = Self.withoutQuery(pathAndQuery)
        self.status = status
        self.duration = duration
    }

    /// The level of the line, see ``level(status:)``.
    public var level: Logger.Level { Self.level(status: status) }

    /// Server errors are warnings, refusals are info, other responses are debug.
    public static func level(status: Int) -> Logger.Level {
        switch status {
        case 500...: .warning
        case 400...: .info
        default: .debug
        }
    }

    /// Writes the line.
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
