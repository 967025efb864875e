/// The server, and the limits of a ``PostgresClient``.
public struct PostgresConfiguration: Sendable {
    /// Connections, at most; each is one backend process of the server.
    public var maximumConnections = 8
    /// Requests that may wait for a connection; the next one fails with ``PostgresError/tooManyWaiters``.
    public var maximumWaiters = 1024
    /// Requests in progress on one connection, at most.
    public var maximumPipelineDepth = 64
    /// Time for one attempt to connect: name lookup, TCP, TLS and login.
    public var connectTimeout: Duration = .seconds(5)
    /// Time from a call to its response, waiting included, unless the call has its own timeout.
    public var queryTimeout: Duration = .seconds(10)
    /// How long a transaction may lie idle before the server ends it, and its connection.
    public var idleInTransactionTimeout: Duration = .seconds(30)
    /// Waits between attempts to connect: the first and the longest one. Jittered.
    public var reconnectBackoff: ClosedRange<Duration> = .milliseconds(50)...(.seconds(1))
    /// Statements prepared on one connection; further ones are parsed at each use.
    public var maximumPreparedStatements = 256
    /// Settings of each session (PostgreSQL manual, chapter 20). The URI's `options` take precedence.
    public var sessionSettings: [String: String] = [:]
    /// Statements that need space on the server's disk, and that are rolled back: by these
    /// ``PostgresClient/checkWritable(timeout:)`` finds out that a full disk has space again.
    public var writeProbe: [PostgresCommand] = []
    /// PEM file of trusted certificate authorities, used where the URI requires verification (`sslmode=verify-full`,
    /// `verify-ca`) and has no `sslrootcert` itself. In other modes the file would make libpq verify the server, and
    /// then fall back to a connection without TLS.
    public var trustFile: String?
    /// Shown in `pg_stat_activity`, unless the URI sets `application_name`.
    public var applicationName = "PostgresClient"
    /// Prefix of the metrics `<prefix>_pool`, `<prefix>_query_seconds` and `<prefix>_reconnects_total`; `nil` for none.
    public var metricPrefix: String? = "chat_postgres"

    /// Time for which the result of ``PostgresClient/checkWritable(timeout:)`` is cached.
    var writeProofLifetime: Duration = .seconds(1)

    let endpoint: ConnectionEndpoint

    /// Reads a libpq connection URI, `postgres://user:password@host:port/database?sslmode=require`
    /// (PostgreSQL manual, section 34.1.1.2).
    ///
    /// - Throws: ``PostgresError/invalidConfiguration(_:)`` if libpq cannot read it.
    public init(url: String) throws(PostgresError) {
        endpoint = try ConnectionEndpoint(url: url)
        if let seconds = endpoint.connectTimeoutSeconds {
            connectTimeout = .seconds(seconds)
        }
    }
}

extension PostgresConfiguration: CustomStringConvertible {
    /// The URI without password and options.
    public var description: String { endpoint.description }
}

extension PostgresConfiguration: CustomDebugStringConvertible, CustomReflectable {
    public var debugDescription: String { description }

    // `dump` and the like walk the mirror; the password must not be in it.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}
