import FoundationEssentials

/// The server, the credentials, and the limits of ``RedisClient`` and ``RedisSubscription``.
public struct RedisConfiguration: Sendable {
    /// A name or an address.
    public var host: String
    public var port: Int
    /// Index of the logical database (`SELECT`).
    public var database: Int
    /// ACL user; `nil` is Redis' `default` user.
    public var username: String?
    var password: Secret?
    /// Whether the connection is encrypted (`rediss://`).
    public var usesTLS: Bool
    /// PEM file of trusted certificate authorities, in addition to those of the operating system.
    public var trustFile: String?

    /// Bound on name lookup, TCP, TLS and the opening commands together.
    public var connectTimeout = Duration.seconds(3)
    /// Bound on one command, from the call to its reply.
    public var commandTimeout = Duration.seconds(2)
    /// Bound on commands queued and in flight together; beyond it ``RedisError/overloaded``.
    public var maximumInFlight = 16_384
    /// Bound on the encoded bytes of those commands.
    public var maximumInFlightBytes = 64 << 20
    /// Bound on the bytes of one reply; a larger one is a protocol violation.
    public var maximumReplyBytes = 64 << 20
    /// Bound on the names (channels and patterns) of one ``RedisSubscription``.
    public var maximumSubscriptions = 65_536
    /// First delay before reconnecting. It doubles with each failure; the actual delay is jittered.
    public var minimumBackoff = Duration.milliseconds(50)
    /// Longest delay before reconnecting.
    public var maximumBackoff = Duration.seconds(2)
    /// A connection that has received nothing for this long sends a `PING`.
    public var keepAliveInterval = Duration.seconds(5)
    /// A subscription that then receives nothing for this long is closed. (Commands: ``commandTimeout``.)
    public var keepAliveTimeout = Duration.seconds(3)
    /// Time for commands in flight to finish when ``RedisClient/run()`` ends.
    public var shutdownGrace = Duration.seconds(1)
    /// Name shown by `CLIENT LIST`; printable ASCII without spaces.
    public var clientName: String?
    /// Prefix of all metric names.
    public var metricPrefix = "chat_redis"

    /// A server without password or TLS.
    public init(host: String = "127.0.0.1", port: Int = 6379) {
        self.host = host
        self.port = port
        self.database = 0
        self.usesTLS = false
    }

    /// Reads `redis://[user]:[password]@host:port/database`; `rediss://` for TLS. Every part but the host has a
    /// default; user and password are percent-encoded.
    ///
    /// - Throws: ``RedisError/invalidConfiguration(_:)``, which names the part that is wrong.
    public init(url: String) throws(RedisError) {
        let parts = try RedisURL(parsing: url)
        self.init(host: parts.host, port: parts.port)
        self.database = parts.database
        self.username = parts.username
        self.password = parts.password
        self.usesTLS = parts.usesTLS
    }
}

extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// The URL with its password masked.
    public var description: String {
        let credentials = password == nil ? "" : "\(username ?? ""):***@"
        let address = host.contains(":") ? "[\(host)]" : host
        return "\(usesTLS ? "rediss" : "redis")://\(credentials)\(address):\(port)/\(database)"
    }

    public var debugDescription: String { description }
}

/// Text that no log, interpolation or `dump` shows.
struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    var description: String { "***" }
    var debugDescription: String { "***" }
    var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// The parts of a `redis://` or `rediss://` URL (IANA's provisional registration of the scheme).
struct RedisURL {
    let usesTLS: Bool
    let username: String?
    let password: Secret?
    let host: String
    let port: Int
    let database: Int

    /// Reads a URL. No error text quotes it, since it may hold a password.
    init(parsing text: String) throws(RedisError) {
        guard let parts = URLComponents(string: text) else {
            throw .invalidConfiguration("the URL cannot be read")
        }
        switch parts.scheme?.lowercased() {
        case "redis": usesTLS = false
        case "rediss": usesTLS = true
        default: throw .invalidConfiguration("the URL's scheme must be redis or rediss")
        }
        guard let host = parts.host, !host.isEmpty else {
            throw .invalidConfiguration("the URL has no host")
        }
        // URLComponents keeps the brackets of an IPv6 address.
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? 6379
        guard (1...65_535).contains(port) else {
            throw .invalidConfiguration("the URL's port must be 1 to 65535")
        }
        guard parts.query == nil, parts.fragment == nil else {
            throw .invalidConfiguration("the URL must not have a query or fragment")
        }
        username = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.flatMap { $0.isEmpty ? nil : Secret($0) }
        guard username == nil || password != nil else {
            throw .invalidConfiguration("the URL has a user but no password")
        }
        database = try Self.database(path: parts.path)
    }

    private static func database(path: String) throws(RedisError) -> Int {
        let name = path.drop { $0 == "/" }
        if name.isEmpty { return 0 }
        guard let index = Int(name), index >= 0 else {
            throw .invalidConfiguration("the URL's path must be a database index")
        }
        return index
    }
}
