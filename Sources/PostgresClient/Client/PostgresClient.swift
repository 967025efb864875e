import Logging
import ServiceLifecycle
import Synchronization

/// A client of one PostgreSQL database: many tasks share a few connections.
///
/// ```swift
/// let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: logger)
/// let rows = try await client.query("SELECT id, name FROM users WHERE id = ANY($1)", .int8Array(ids))
/// for row in rows {
///     let (id, name) = try row.decode(Int64.self, String?.self)
/// }
/// ```
///
/// Requests of different tasks share connections and round trips (libpq's pipeline mode), each with a sync of its own,
/// so that an error affects its own request only. While PostgreSQL is away, requests wait until their deadline. Usable
/// at once; as a service, ``run()`` also keeps a connection open and shuts down gracefully.
public final class PostgresClient: Service, PostgresQueryable {
    let pool: PostgresPool

    /// Makes a client, which connects when it is first used.
    public init(configuration: PostgresConfiguration, logger: Logger) {
        pool = PostgresPool(configuration: configuration, logger: logger)
        pool.loop.start(pool)
    }

    deinit {
        pool.onLoop { $0.closeNow() }
        pool.loop.stop()
    }

    /// The configuration given to ``init(configuration:logger:)``.
    public var configuration: PostgresConfiguration { pool.configuration }

    /// Runs until graceful shutdown or cancellation; then refuses new requests, lets those in progress finish, for at
    /// most ``PostgresConfiguration/queryTimeout``, and closes.
    public func run() async throws {
        pool.onLoop { $0.perform($0.machine.start(now: .now)) }
        try? await gracefulShutdown()
        await close()
    }

    /// Shuts down as ``run()`` does at its end, for clients that are not run as a service.
    public func close() async {
        await withCheckedContinuation { continuation in
            if !pool.onLoop({ $0.shutdown(continuation) }) { continuation.resume() }
        }
    }

    // MARK: Requests

    /// Runs several statements in one round trip as one transaction: all of them, or none.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows] {
        try await pool.batch(commands, lease: nil, timeout: timeout)
    }

    /// Runs several statements as one transaction, in a lane and without waiting.
    /// - Parameter reply: called once, on the client's thread. Must not block.
    public func batch(
        _ commands: [PostgresCommand], in lane: PostgresLane,
        reply: @escaping @Sendable (Result<[PostgresRows], PostgresError>) -> Void
    ) {
        pool.run(commands, in: lane, reply: reply)
    }

    /// Calls `body` on the client's thread. Requests made there are sent without waking a thread, together with all
    /// others of the same turn.
    /// - Parameter body: must not block.
    /// - Returns: `false` if the client is closed and `body` is not called.
    @discardableResult
    public func execute(_ body: @escaping @Sendable () -> Void) -> Bool { pool.loop.execute(body) }

    /// Calls `body` at the end of this turn of the client's thread, when the turn's requests have been sent, so that
    /// PostgreSQL works on them meanwhile. Only to be called on that thread.
    public func afterSending(_ body: @escaping @Sendable () -> Void) {
        pool.assumeIsolated { $0.afterSending.append(body) }
    }

    // MARK: Exclusive connections

    /// Runs a READ COMMITTED transaction (PostgreSQL manual, section 13.2.1): begins with the first statement of
    /// `body`, commits when `body` returns, rolls back when it throws. Uses a connection exclusively while `body` runs.
    /// - Parameter timeout: for the wait for a connection; each request in `body` has its own.
    public nonisolated(nonsending) func withTransaction<Value: Sendable>(
        timeout: Duration? = nil, _ body: nonisolated(nonsending) (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let lease = try await pool.lease(.transaction, timeout: timeout)
        // Also rolls back an open transaction, after the requests in progress.
        defer { pool.end(lease) }
        let value = try await body(PostgresTransaction(pool: pool, lease: lease))
        try await pool.commit(lease)
        return value
    }

    /// Runs `body` with a connection for exclusive use, and closes the connection afterwards: locks, settings and an
    /// open transaction end with it. For rare work such as migrations.
    /// - Parameter timeout: for the wait for a connection; each request in `body` has its own.
    public nonisolated(nonsending) func withConnection<Value: Sendable>(
        timeout: Duration? = nil, _ body: nonisolated(nonsending) (PostgresSession) async throws -> Value
    ) async throws -> Value {
        let lease = try await pool.lease(.session, timeout: timeout)
        defer { pool.end(lease) }
        return try await body(PostgresSession(pool: pool, lease: lease))
    }

    // MARK: Health

    /// Whether there is a connection. The first one is made by ``run()`` or by the first request.
    public var isAvailable: Bool { pool.isAvailable.load(ordering: .relaxed) }

    /// Number of connections that broke so far: those that the server or the network ended, that did not respond in time, and
    /// that led to a server that has become read-only. Idle connections are watched, so it rises at once.
    ///
    /// What was read before it rose may no longer hold: PostgreSQL may come back as another server, or from a backup.
    public var brokenConnections: Int { pool.brokenConnections.load(ordering: .relaxed) }

    /// Returns if the server responds to a query in time.
    public nonisolated(nonsending) func ping(timeout: Duration = .seconds(2)) async throws(PostgresError) {
        _ = try await query("SELECT 1", timeout: timeout)
    }

    /// Returns if the server accepts writes. Callers may be many and frequent: the server is asked at most once a
    /// second.
    ///
    /// After the server was out of disk or memory it also has to carry out ``PostgresConfiguration/writeProbe``.
    ///
    /// - Throws: the error of the attempt to write; 25006 (``SQLState/readOnlyTransaction``) where the server is
    ///   read-only. Idle connections to such a server are closed, so that new ones are made.
    public nonisolated(nonsending) func checkWritable(
        timeout: Duration = .milliseconds(400)
    ) async throws(PostgresError) {
        try await pool.checkWritable(timeout: timeout)
    }
}
