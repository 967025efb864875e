import Logging
import ServiceLifecycle
import Synchronization

/// PostgreSQL for many tasks at once, over a few connections.
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
/// so that one's error is nobody else's. While PostgreSQL is away, requests wait until their deadline. Usable at once;
/// as a service, ``run()`` also keeps a connection open and closes everything in good order at the end.
public final class PostgresClient: Service, Sendable {
    let pool: PostgresPool

    public init(configuration: PostgresConfiguration, logger: Logger) {
        pool = PostgresPool(configuration: configuration, logger: logger)
        pool.loop.start(pool)
    }

    deinit {
        pool.onLoop { $0.closeNow() }
        pool.loop.stop()
    }

    public var configuration: PostgresConfiguration { pool.configuration }

    /// Runs until graceful shutdown or cancellation; then takes nothing new, lets finish what is under way, for at
    /// most ``PostgresConfiguration/queryTimeout``, and closes.
    public func run() async throws {
        pool.onLoop { $0.perform($0.machine.start(now: .now)) }
        try? await gracefulShutdown()
        await close()
    }

    /// What ``run()`` does at its end, for those who do not run the client as a service.
    public func close() async {
        await withCheckedContinuation { continuation in
            if !pool.onLoop({ $0.shutdown(continuation) }) { continuation.resume() }
        }
    }

    // MARK: Requests

    /// Runs one statement, which is a transaction of its own, and returns after the commit.
    ///
    /// The timeout covers everything, waiting included; nil stands for ``PostgresConfiguration/queryTimeout``. Whether
    /// a request that threw may have been committed is for ``PostgresError/isOutcomeUnknown`` to say.
    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: PostgresParameter..., timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await query(statement, parameters, timeout: timeout)
    }

    public nonisolated(nonsending) func query(
        _ statement: PostgresStatement, _ parameters: [PostgresParameter], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await pool.one(PostgresCommand(statement, parameters), lease: nil, timeout: timeout)
    }

    /// Runs several statements in one round trip as one transaction: all of them, or none.
    ///
    /// One result for each command, after the commit; the error is that of the first statement that failed.
    public nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresRows] {
        try await pool.batch(commands, lease: nil, timeout: timeout)
    }

    /// As ``batch(_:timeout:)``, in a lane and without waiting: `reply` is called once, on the client's own thread, which
    /// it must not hold up.
    public func batch(
        _ commands: [PostgresCommand], in lane: PostgresLane,
        reply: @escaping @Sendable (Result<[PostgresRows], PostgresError>) -> Void
    ) {
        pool.run(commands, in: lane, reply: reply)
    }

    /// Calls `body` on the client's own thread, which it must not hold up: what it sends from there goes out without a
    /// thread being woken, together with all else that is sent in the same turn.
    /// - Returns: `false` where the client is gone and `body` is not called.
    @discardableResult
    public func execute(_ body: @escaping @Sendable () -> Void) -> Bool { pool.loop.execute(body) }

    /// Calls `body` at the end of this turn of the client's own thread, from where alone it may be called: what the
    /// turn gave rise to has been sent by then, and PostgreSQL works on it meanwhile.
    public func afterSending(_ body: @escaping @Sendable () -> Void) {
        pool.assumeIsolated { $0.afterSending.append(body) }
    }

    // MARK: Connections of one's own

    /// Runs a transaction: begins with the first statement of `body`, commits when `body` returns, rolls back when it
    /// throws. Takes a whole connection for as long as `body` runs.
    ///
    /// The timeout is for the wait for a connection; each request in `body` has its own.
    public nonisolated(nonsending) func withTransaction<Value: Sendable>(
        _ mode: PostgresTransaction.Mode = .readCommitted, timeout: Duration? = nil,
        _ body: nonisolated(nonsending) (PostgresTransaction) async throws -> Value
    ) async throws -> Value {
        let lease = try await pool.lease(.transaction(begin: mode.begin), timeout: timeout)
        // Also rolls back, if it comes to that; behind whatever is still under way.
        defer { pool.end(lease) }
        let value = try await body(PostgresTransaction(pool: pool, lease: lease))
        try await pool.commit(lease)
        return value
    }

    /// Lends a connection, without a transaction, and closes it afterwards: whatever `body` leaves behind in the
    /// session (locks, settings, an open transaction) ends with it. For rare work such as migrations.
    ///
    /// The timeout is for the wait for a connection; each request in `body` has its own.
    public nonisolated(nonsending) func withConnection<Value: Sendable>(
        timeout: Duration? = nil, _ body: nonisolated(nonsending) (PostgresSession) async throws -> Value
    ) async throws -> Value {
        let lease = try await pool.lease(.session, timeout: timeout)
        defer { pool.end(lease) }
        return try await body(PostgresSession(pool: pool, lease: lease))
    }

    // MARK: Health

    /// True while there is a connection. False at first: one is made by ``run()`` or the first request.
    public var isAvailable: Bool { pool.isAvailable.load(ordering: .relaxed) }

    /// Returns if the server answers a query in time.
    public nonisolated(nonsending) func ping(timeout: Duration = .seconds(2)) async throws(PostgresError) {
        _ = try await query("SELECT 1", timeout: timeout)
    }
}

extension PostgresPool {
    func shutdown(_ waiter: CheckedContinuation<Void, Never>) {
        guard !isDrained else { return waiter.resume() }
        drainWaiters.append(waiter)
        drainDeadline = drainDeadline ?? .now + configuration.queryTimeout
        perform(machine.shutdown(now: .now))
    }

    nonisolated(nonsending) func one(
        _ command: PostgresCommand, lease: LeaseID?, timeout: Duration?
    ) async throws(PostgresError) -> PostgresRows {
        guard let rows = try await batch([command], lease: lease, timeout: timeout).first else {
            throw .decoding("no result")
        }
        return rows
    }

    nonisolated(nonsending) func batch(
        _ commands: [PostgresCommand], lease: LeaseID?, timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows] {
        guard !commands.isEmpty else { return [] }
        // The protocol counts parameters in 16 bits.
        guard commands.allSatisfy({ $0.parameters.count <= Int(UInt16.max) }) else {
            throw .unsupported("more than 65535 parameters", outcomeUnknown: false)
        }
        return try await run(.commands(commands), lease: lease, timeout: timeout)
    }
}
