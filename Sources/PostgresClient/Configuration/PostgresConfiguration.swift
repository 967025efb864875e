/// Where PostgreSQL is and how much may be asked of it at once.
public struct PostgresConfiguration: Sendable {
    /// Connections kept at most, each of them one backend process of the server.
    public var maximumConnections = 8
    /// Requests that may wait for a connection; the next one fails with ``PostgresError/tooManyWaiters``.
    public var maximumWaiters = 1024
    /// Requests under way on one connection at a time.
    public var maximumPipelineDepth = 64
    /// Time for one attempt to connect: name lookup, TCP, TLS and login.
    public var connectTimeout: Duration = .seconds(5)
    /// Time from the call to its answer, waiting included, unless the call names its own.
    public var queryTimeout: Duration = .seconds(10)
    /// How long a transaction may lie idle before the server ends it, and its connection.
    public var idleInTransactionTimeout: Duration = .seconds(30)
    /// Wait before the second, and at most before any, attempt to reconnect. Jittered.
    public var reconnectBackoff: ClosedRange<Duration> = .milliseconds(50)...(.seconds(1))
    /// Statements prepared on one connection; further ones are parsed at each use.
    public var maximumPreparedStatements = 256
    /// Settings of the server for each session, where the URI's `options` say nothing else
    /// (PostgreSQL manual, chapter 20).
    public var sessionSettings: [String: String] = [:]
    /// Writes that only their rollback takes back, and that need room on the server's disk: how
    /// ``PostgresClient/proveWritable(timeout:)`` finds out that a full disk has room again.
    public var writeProbe: [PostgresCommand] = []
    /// PEM file of the certificate authorities that may vouch for the server where the URI asks for that
    /// (`sslmode=verify-full`, `verify-ca`) and names no `sslrootcert` itself. In other modes libpq would take the file
    /// for a reason to be strict, and then go on without TLS.
    public var trustFile: String?
    /// Shown in `pg_stat_activity`, unless the URI sets `application_name`.
    public var applicationName = "PostgresClient"
    /// Metrics are called `<prefix>_pool`, `<prefix>_query_seconds` and `<prefix>_reconnects_total`; nil for none.
    public var metricPrefix: String? = "chat_postgres"

    /// What readiness believes for how long before it asks again.
    var writeProofLifetime: Duration = .seconds(1)

    let endpoint: ConnectionEndpoint

    /// Takes a libpq connection URI, `postgres://user:password@host:port/database?sslmode=require`
    /// (PostgreSQL manual, section 34.1.1.2).
    ///
    /// Throws ``PostgresError/invalidConfiguration(_:)`` if libpq cannot read it.
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
