// MARK: - The way in, from any task

extension PostgresPool {
    /// Commits what the lease's transaction did; nothing to do if that was nothing.
    nonisolated(nonsending) func commit(_ lease: LeaseID) async throws(PostgresError) {
        let rows = try await run(.commit, lease: lease, timeout: nil)
        // The server answers COMMIT with ROLLBACK when an earlier statement has failed.
        guard let result = rows.first?.result, result.commandTag != "COMMIT" else { return }
        throw .server(
            PostgresServerError(
                sqlState: .inFailedTransaction, message: "the transaction was rolled back for an earlier error"))
    }

    /// Gives the connection back: rolled back if its transaction is still open, closed if it was a session's.
    nonisolated func end(_ lease: LeaseID) {
        onLoop { pool in
            guard pool.leases[lease.connection]?.id == lease, let connection = pool.connections[lease.connection]
            else { return }
            pool.leases[lease.connection]?.phase = .ending
            pool.tidy(connection)
        }
    }
}

// MARK: - On the loop

extension PostgresPool {
    func grant(_ connectionID: PoolStateMachine.ConnectionID, to id: PoolStateMachine.RequestID) {
        guard let request = requests.removeValue(forKey: id), case .lease(let kind) = request.work else { return }
        lastLease += 1
        let lease = LeaseID(connection: connectionID, number: lastLease)
        leases[connectionID] = Lease(id: lease, kind: kind)
        request.resume(leasing: lease)
    }

    /// A request of a transaction or session.
    func accept(_ request: PipelineRequest, on id: LeaseID) {
        guard let connection = connections[id.connection] else {
            // A transaction dies with its connection.
            return request.resume(.failure(.connectionLost(outcomeUnknown: false)))
        }
        guard var lease = leases[id.connection], lease.id == id, lease.phase == .active else {
            return request.resume(.failure(.closed))
        }
        guard connection.requestCount < max(1, configuration.maximumPipelineDepth) else {
            return request.resume(.failure(.tooManyWaiters))
        }
        if case .transaction(let begin) = lease.kind {
            if lease.hasBegun, connection.isIdle, connection.isOutsideTransaction {
                // BEGIN failed, or the caller has sent a COMMIT of its own: nothing may run outside a transaction.
                return request.resume(.failure(.closed))
            }
            if !lease.hasBegun {
                if case .commit = request.work { return request.resume(.success([])) }
                request.preamble.insert(PostgresCommand(begin), at: 0)
                lease.hasBegun = true
            }
        }
        leases[id.connection] = lease
        track(request)
        enqueue(request, on: connection)
    }

    /// Moves a lease that is over towards its end, each time its connection has nothing left to do.
    func tidy(_ connection: PostgresConnection) {
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
                deadline: .now + configuration.queryTimeout, answer: .nobody)
            track(rollback)
            enqueue(rollback, on: connection)
        case (.transaction, _):
            close(connection)
        }
    }
}
