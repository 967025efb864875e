import Synchronization

/// Whether the server takes writes, asked at most once in a while however many want to know.
final class WriteProof: Sendable {
    typealias Outcome = Result<Void, PostgresError>

    private struct State {
        var task: Task<Outcome, Never>?
        var expiry: ContinuousClock.Instant = .now
        var isRunning = false
        /// What `task` found, once it is through.
        var hasSucceeded = false
        /// Something happened that a success does not know of.
        var isRefuted = false
    }

    private let state = Mutex(State())

    /// The outcome of `ask`, run now or not long ago; those who come while it runs wait for the same one.
    func outcome(lifetime: Duration, of ask: @escaping @Sendable () async -> Outcome) async -> Outcome {
        let task = state.withLock { state in
            let isFresh = state.expiry > .now && !(state.hasSucceeded && state.isRefuted)
            if let task = state.task, state.isRunning || isFresh { return task }
            let task = Task {
                let outcome = await ask()
                self.state.withLock { state in
                    state.isRunning = false
                    state.hasSucceeded = (try? outcome.get()) != nil
                    state.expiry = .now + lifetime
                }
                return outcome
            }
            state.task = task
            state.isRunning = true
            state.isRefuted = false
            return task
        }
        return await task.value
    }

    /// A write was refused: that there was a success a moment ago is not believed any more.
    func refute() { state.withLock { $0.isRefuted = true } }
}

extension PostgresClient {
    /// A write that leaves nothing behind: a record in the write-ahead log that nobody reads. It asks for no right, and
    /// waits, like every commit, for the disk and for synchronous standbys. `transaction_read_only` is looked at first,
    /// since the function does not heed it.
    private static let writeAheadProbe: PostgresStatement = """
        SELECT CASE WHEN current_setting('transaction_read_only') = 'off'
            THEN pg_logical_emit_message(true, 'write probe', '') END IS NOT NULL
        """

    /// Returns if the server takes writes. Many may ask at once and often: it finds out at most once a second.
    ///
    /// After the server was out of disk or memory it also has to carry out ``PostgresConfiguration/writeProbe``.
    ///
    /// - Throws: what kept it from writing; 25006 (``SQLState/readOnlyTransaction``) where it takes none. Idle
    ///   connections to such a server are closed, so that others are made.
    public nonisolated(nonsending) func proveWritable(
        timeout: Duration = .milliseconds(400)
    ) async throws(PostgresError) {
        try await pool.writeProof.outcome(lifetime: configuration.writeProofLifetime) { [pool] in
            await Self.askWhetherWritable(pool, timeout: timeout)
        }.get()
    }

    private static func askWhetherWritable(_ pool: PostgresPool, timeout: Duration) async -> WriteProof.Outcome {
        do throws(PostgresError) {
            let rows = try await pool.one(PostgresCommand(writeAheadProbe), lease: nil, timeout: timeout)
            guard rows.count == 1, try rows[0].decode(Bool.self) else {
                pool.onLoop { $0.closeReadOnlyConnections() }
                throw .server(
                    PostgresServerError(sqlState: .readOnlyTransaction, message: "the server takes no writes"))
            }
            if pool.lacksResources.load(ordering: .relaxed) {
                try await tryWriteProbe(pool, timeout: timeout)
                pool.lacksResources.store(false, ordering: .relaxed)
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private static func tryWriteProbe(_ pool: PostgresPool, timeout: Duration) async throws(PostgresError) {
        let commands = pool.configuration.writeProbe
        guard !commands.isEmpty else { return }
        let begin = PostgresTransaction.Mode.readCommitted.begin
        let lease = try await pool.lease(.transaction(begin: begin), timeout: timeout)
        // Rolls back, since nothing is committed.
        defer { pool.end(lease) }
        _ = try await pool.batch(commands, lease: lease, timeout: timeout)
    }
}

extension PostgresPool {
    /// Where a server has become read-only its connections lead nowhere, and new ones may lead to the new primary. Those
    /// that are in use find out by themselves (25006).
    func closeReadOnlyConnections() {
        for connection in connections.values where connection.requestCount == 0 && leases[connection.id] == nil {
            if !connection.isKnownWritable { lose(connection) }
        }
    }
}
