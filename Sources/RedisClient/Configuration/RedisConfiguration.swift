/// Where Redis is, who we are there, and how long to wait for it.
public struct RedisConfiguration: Sendable {
    public var host: String
    public var port: Int
    /// Index of the logical database (`SELECT`).
    public var database: Int
    /// ACL user; `nil` is Redis' `default` user.
    public var username: String?
    var password: Secret?
    /// Whether the connection is encrypted (`rediss://`).
    public var usesTLS: Bool
    /// PEM file of certificate authorities that may vouch for the server, beside those of the operating system.
    public var trustFile: String?

    /// Bound on name lookup, TCP, TLS and the opening commands together.
    public var connectTimeout = Duration.seconds(3)
    /// Bound on one command, from the call to its reply.
    public var commandTimeout = Duration.seconds(2)
    /// How long ``RedisClient/send(_:)`` may wait for a connection. Zero fails at once with ``RedisError/notConnected``.
    public var connectionWait = Duration.zero
    /// Bound on commands queued and in flight together; beyond it ``RedisError/overloaded``.
    public var maximumInFlight = 16_384
    /// Bound on the encoded bytes of those commands.
    public var maximumInFlightBytes = 64 << 20
    /// Bound on the bytes of one reply; a larger one is taken for a broken server.
    public var maximumReplyBytes = 64 << 20
    /// Bound on the names (channels and patterns) of one ``RedisSubscription``.
    public var maximumSubscriptions = 65_536
    /// First delay before reconnecting. It doubles with each failure; the actual delay is jittered.
    public var minimumBackoff = Duration.milliseconds(50)
    /// Longest delay before reconnecting.
    public var maximumBackoff = Duration.seconds(2)
    /// A connection that heard nothing for this long sends a `PING`.
    public var keepAliveInterval = Duration.seconds(5)
    /// A subscription that then still hears nothing for this long is dropped. (Commands: `commandTimeout`.)
    public var keepAliveTimeout = Duration.seconds(3)
    /// How long commands in flight may take when ``RedisClient/run()`` is asked to end.
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

    /// Sets or removes the password. It cannot be read back.
    public mutating func setPassword(_ password: String?) {
        self.password = password.map(Secret.init)
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
