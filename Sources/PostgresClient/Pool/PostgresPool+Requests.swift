import Logging
import Metrics

/// A request as a caller passes it to the loop.
struct Submission: Sendable {
    let token: RequestToken
    let work: PipelineRequest.Work
    /// The transaction or session it belongs to; `nil` for any connection.
    let lease: LeaseID?
    var lane: PostgresLane?
    let deadline: ContinuousClock.Instant
    /// The server's `statement_timeout` in milliseconds; `nil` for that of the connection.
    let statementTimeout: Int64?
    let response: PipelineRequest.Response
}

// MARK: - Called from any task

extension PostgresPool {
    /// Runs statements up to one sync.
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

    /// Runs statements up to one sync, or a script, and waits for its end, its deadline or cancellation.
    nonisolated(nonsending) func run(
        _ work: PipelineRequest.Work, lease: LeaseID? = nil, timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows] {
        try await submit(work, lease: lease, timeout: timeout) { .rows($0) }.get()
    }

    /// Waits for a connection for exclusive use, which ``end(_:)`` returns to the pool.
    nonisolated(nonsending) func lease(
        _ kind: LeaseKind, timeout: Duration?
    ) async throws(PostgresError) -> LeaseID {
        try await submit(.lease(kind), lease: nil, timeout: timeout) { .lease($0) }.get()
    }

    /// Runs statements in a lane.
    /// - Parameter reply: called once, on the event loop.
    nonisolated func run(
        _ commands: [PostgresCommand], in lane: PostgresLane,
        reply: @escaping @Sendable (Result<[PostgresRows], PostgresError>) -> Void
    ) {
        let submission = Submission(
            token: RequestToken(), work: .commands(commands), lease: nil, lane: lane,
            deadline: .now + configuration.queryTimeout, statementTimeout: nil, response: .closure(reply))
        if !onLoop({ $0.accept(submission) }) { reply(.failure(.closed)) }
    }

    private nonisolated(nonsending) func submit<Value: Sendable>(
        _ work: PipelineRequest.Work, lease: LeaseID?, timeout: Duration?,
        _ response: (CheckedContinuation<Result<Value, PostgresError>, Never>) -> PipelineRequest.Response
    ) async -> Result<Value, PostgresError> {
        let token = RequestToken()
        let deadline = ContinuousClock.now + (timeout ?? configuration.queryTimeout)
        let ownTimeout = timeout == configuration.queryTimeout ? nil : timeout
        let limit = ownTimeout.map(StatementTimeout.milliseconds(within:))
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let submission = Submission(
                    token: token, work: work, lease: lease, deadline: deadline, statementTimeout: limit,
                    response: response(continuation))
                if !onLoop({ $0.accept(submission) }) { continuation.resume(returning: .failure(.closed)) }
            }
        } onCancel: {
            token.cancel()
            onLoop { $0.cancel(token.id) }
        }
    }
}

// MARK: - On the loop

extension PostgresPool {
    private static let setTimeout: PostgresStatement = "SELECT set_config('statement_timeout', $1, true)"

    private func accept(_ submission: Submission) {
        let now = ContinuousClock.now
        let request = PipelineRequest(
            id: submission.token.id, work: submission.work, submitted: now, deadline: submission.deadline,
            response: submission.response)
        guard !isDrained else { return request.resume(.failure(.closed)) }
        guard !submission.token.isCancelled else {
            return request.resume(.failure(.cancelled(outcomeUnknown: false)))
        }
        guard submission.deadline > now else { return request.resume(.failure(.timedOut(outcomeUnknown: false))) }
        if let limit = submission.statementTimeout, case .commands = submission.work {
            request.preamble.append(PostgresCommand(Self.setTimeout, .text(String(limit))))
        }
        if let lease = submission.lease { return accept(request, on: lease) }
        request.lane = submission.lane
        track(request)
        switch request.work {
        case .lease: perform(machine.enqueue(request.id, .exclusive, now: now))
        case .commands, .script, .commit:
            let last = request.lane.flatMap { lanes[$0] }
            perform(machine.enqueue(request.id, .shared, behind: last?.connection, now: now))
        }
    }

    func track(_ request: PipelineRequest) {
        requests[request.id] = request
        earliestDeadline = min(earliestDeadline ?? request.deadline, request.deadline)
    }

    private func cancel(_ id: PoolStateMachine.RequestID) {
        guard let request = requests[id] else { return }
        if !withdraw(request, .cancelled(outcomeUnknown: false)) {
            // It goes on without its caller. Its deadline still applies to the connection.
            request.resume(.failure(request.error ?? .cancelled(outcomeUnknown: true)))
        }
    }

    /// Ends a request that has not been passed to libpq.
    /// - Returns: `false` if it has been.
    private func withdraw(_ request: PipelineRequest, _ error: PostgresError) -> Bool {
        guard let id = request.connection, let connection = connections[id] else {
            requests[request.id] = nil
            request.resume(.failure(error))
            perform(machine.cancel(request.id, now: .now).actions)
            return true
        }
        guard connection.withdraw(request) else { return false }
        requests[request.id] = nil
        request.resume(.failure(error))
        settle(connection)
        return true
    }

    /// Removes a request that has ended, and resumes its caller.
    func leave(_ request: PipelineRequest) {
        requests[request.id] = nil
        if let lane = request.lane, lanes[lane]?.request == request.id { lanes[lane] = nil }
        metrics.queries.record(duration: .now - request.submitted)
        request.finish()
    }

    /// Assigns further requests to a connection that one has left, or ends its lease.
    func settle(_ connection: PostgresConnection) {
        if connection.hasUnsent { unflushed.insert(connection.id) }
        if leases[connection.id] != nil {
            cleanUp(connection)
        } else {
            perform(machine.completed(on: connection.id, now: .now))
        }
    }

    // MARK: Deadlines

    var nextDeadline: ContinuousClock.Instant? {
        if requests.isEmpty { earliestDeadline = nil }
        var next = earliestDeadline
        if let wake = machine.nextWake { next = min(next ?? wake, wake) }
        if let drainDeadline { next = min(next ?? drainDeadline, drainDeadline) }
        for attempt in attempts.values { next = min(next ?? attempt.deadline, attempt.deadline) }
        return next
    }

    func checkDeadlines(now: ContinuousClock.Instant) {
        if let wake = machine.nextWake, wake <= now { perform(machine.timeReached(now: now)) }
        for attempt in attempts.values where attempt.deadline <= now {
            let limit = configuration.connectTimeout
            progress(attempt, .failed(.connectFailed("the server did not answer within \(limit)")))
        }
        if let drainDeadline, drainDeadline <= now { closeNow() }
        guard let earliestDeadline, earliestDeadline <= now else { return }
        let expired = requests.values.filter { $0.deadline <= now }
        self.earliestDeadline = requests.values.lazy.map(\.deadline).filter { $0 > now }.min()
        for request in expired where requests[request.id] != nil { expire(request) }
    }

    private func expire(_ request: PipelineRequest) {
        let isWaiting = request.connection == nil
        // The reason of an outage says more than that the request waited.
        let reason = isWaiting && machine.isOutage && !machine.hasConnection ? lastConnectFailure : nil
        guard !withdraw(request, reason ?? .timedOut(outcomeUnknown: false)) else { return }
        // The connection is of no use: the requests behind this one would wait for the server's response, too.
        request.fail(.timedOut(outcomeUnknown: true))
        if let connection = request.connection.flatMap({ connections[$0] }) { lose(connection) }
    }
}
