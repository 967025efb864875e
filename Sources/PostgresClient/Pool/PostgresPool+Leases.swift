// MARK: - Called from any task

extension PostgresPool {
    /// Commits the transaction of a lease, if it has begun.
    nonisolated(nonsending) func commit(_ lease: LeaseID) async throws(PostgresError) {
        let rows = try await run(.commit, lease: lease, timeout: nil)
        // The server answers COMMIT with ROLLBACK when an earlier statement has failed.
        guard let result = rows.first?.result, result.commandTag != "COMMIT" else { return }
        throw .server(
            PostgresServerError(
                sqlState: .inFailedTransaction, message: "the transaction was rolled back for an earlier error"))
    }

    /// Returns the connection to the pool: an open transaction is rolled back, the connection of a session is closed.
    nonisolated func end(_ lease: LeaseID) {
        onLoop { pool in
            guard pool.leases[lease.connection]?.id == lease, let connection = pool.connections[lease.connection]
            else { return }
            pool.leases[lease.connection]?.phase = .ending
            pool.cleanUp(connection)
        }
    }
}

// MARK: - On the loop

extension PostgresPool {
    // Sent together with the caller's first statement, so that it costs no round trip.
    private static let begin: PostgresStatement = "BEGIN ISOLATION LEVEL READ COMMITTED"

    /// Assigns a connection to the caller of a lease.
    func grant(_ connectionID: PoolStateMachine.ConnectionID, to id: PoolStateMachine.RequestID) {
        guard let request = requests.removeValue(forKey: id), case .lease(let kind) = request.work else { return }
        lastLease += 1
        let lease = LeaseID(connection: connectionID, number: lastLease)
        leases[connectionID] = Lease(id: lease, kind: kind)
        request.resume(leasing: lease)
    }

    /// Takes a request of a transaction or session.
    func accept(_ request: PipelineRequest, on id: LeaseID) {
        guard let connection = connections[id.connection] else {
            // A transaction ends with its connection.
            return request.resume(.failure(.connectionLost(outcomeUnknown: false)))
        }
        guard var lease = leases[id.connection], lease.id == id, lease.phase == .active else {
            return request.resume(.failure(.closed))
        }
        guard connection.requestCount < max(1, configuration.maximumPipelineDepth) else {
            return request.resume(.failure(.tooManyWaiters))
        }
        if case .transaction = lease.kind {
            if lease.hasBegun, connection.isIdle, connection.isOutsideTransaction {
                // BEGIN failed, or the caller has sent a COMMIT of its own: nothing may run outside a transaction.
                return request.resume(.failure(.closed))
            }
            if !lease.hasBegun {
                if case .commit = request.work { return request.resume(.success([])) }
                request.preamble.insert(PostgresCommand(Self.begin), at: 0)
                lease.hasBegun = true
            }
        }
        leases[id.connection] = lease
        track(request)
        enqueue(request, on: connection)
    }

    /// Continues the end of a lease, each time its connection is idle.
    func cleanUp(_ connection: PostgresConnection) {
        guard let lease = leases[connection.id], lease.phase != .active, connection.isIdle else { return }
        switch (lease.kind, lease.phase) {
        case (.session, _):
            close(connection)
        case (.transaction, _) where connection.isOutsideTransaction:
            leases[connection.id] = nil
            perform(machine.released(connection.id, now: .now))
        case (.transaction, .ending):
            leases[connection.id]?.phase = .cleaning
            let rollback = PipelineRequest(
                id: RequestToken().id, work: .commands([PostgresCommand("ROLLBACK")]), submitted: .now,
                deadline: .now + configuration.queryTimeout, response: .discarded)
            track(rollback)
            enqueue(rollback, on: connection)
        case (.transaction, _):
            close(connection)
        }
    }
}

/// The state of a leased connection.
struct Lease {
    /// The phases of a lease, in order.
    enum Phase {
        case active
        /// The caller is done; the connection is cleaned up when it is idle.
        case ending
        /// Being rolled back.
        case cleaning
    }

    let id: LeaseID
    let kind: LeaseKind
    var phase = Phase.active
    /// `BEGIN` has been put in front of a request.
    var hasBegun = false
}
