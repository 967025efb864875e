import Synchronization

/// Caches whether the server accepts writes, so that it is asked at a bounded rate, whatever the number of callers.
final class WritabilityCheck: Sendable {
    typealias Outcome = Result<Void, PostgresError>

    private struct State {
        var task: Task<Outcome, Never>?
        var expiry: ContinuousClock.Instant = .now
        var isRunning = false
        /// The outcome of `task`, once it has ended.
        var hasSucceeded = false
        /// A write was refused since `task` began.
        var isInvalidated = false
    }

    private let state = Mutex(State())

    /// The outcome of `check`, run now or at most `lifetime` ago; callers share a check that is running.
    func outcome(lifetime: Duration, of check: @escaping @Sendable () async -> Outcome) async -> Outcome {
        let task = state.withLock { state in
            let isFresh = state.expiry > .now && !(state.hasSucceeded && state.isInvalidated)
            if let task = state.task, state.isRunning || isFresh { return task }
            let task = Task {
                let outcome = await check()
                self.state.withLock { state in
                    state.isRunning = false
                    state.hasSucceeded = (try? outcome.get()) != nil
                    state.expiry = .now + lifetime
                }
                return outcome
            }
            state.task = task
            state.isRunning = true
            state.isInvalidated = false
            return task
        }
        return await task.value
    }

    /// A write was refused: a cached success is no longer valid.
    func invalidate() { state.withLock { $0.isInvalidated = true } }
}

extension PostgresPool {
    // A write that leaves nothing behind: a record in the write-ahead log that nobody reads. It needs no privilege, and
    // waits, like every commit, for the disk and for synchronous standbys. `transaction_read_only` is checked first,
    // since the function ignores it.
    private static let writeAheadProbe: PostgresStatement = """
        SELECT CASE WHEN current_setting('transaction_read_only') = 'off'
            THEN pg_logical_emit_message(true, 'write probe', '') END IS NOT NULL
        """

    /// As ``PostgresClient/checkWritable(timeout:)``.
    nonisolated(nonsending) func checkWritable(timeout: Duration) async throws(PostgresError) {
        try await writeProof.outcome(lifetime: configuration.writeProofLifetime) {
            await self.checkWritable(timeout: timeout)
        }.get()
    }

    private nonisolated func checkWritable(timeout: Duration) async -> WritabilityCheck.Outcome {
        do throws(PostgresError) {
            let results = try await batch([PostgresCommand(Self.writeAheadProbe)], lease: nil, timeout: timeout)
            guard let row = results.first?.first, try row.decode(Bool.self) else {
                onLoop { $0.closeReadOnlyConnections() }
                throw .server(
                    PostgresServerError(sqlState: .readOnlyTransaction, message: "the server takes no writes"))
            }
            if lacksResources.load(ordering: .relaxed) {
                try await runWriteProbe(timeout: timeout)
                lacksResources.store(false, ordering: .relaxed)
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private nonisolated func runWriteProbe(timeout: Duration) async throws(PostgresError) {
        let commands = configuration.writeProbe
        guard !commands.isEmpty else { return }
        let lease = try await lease(.transaction, timeout: timeout)
        // Rolls back, since nothing is committed.
        defer { end(lease) }
        _ = try await batch(commands, lease: lease, timeout: timeout)
    }

    /// Closes idle connections to a server that has become read-only; new ones may lead to the new primary. Connections
    /// in use get 25006 from the server.
    private func closeReadOnlyConnections() {
        for connection in connections.values where connection.requestCount == 0 && leases[connection.id] == nil {
            if !connection.isKnownWritable { lose(connection) }
        }
    }
}
