import Logging
import Metrics

/// What a caller hands over to the loop.
struct Submission: Sendable {
    let token: RequestToken
    let work: PipelineRequest.Work
    /// The transaction or session it belongs to; nil for whichever connection is free.
    let lease: LeaseID?
    var lane: PostgresLane?
    let deadline: ContinuousClock.Instant
    /// The server's limit for the statements, if it is not the connection's own.
    let statementTimeout: Int64?
    let answer: PipelineRequest.Answer
}

// MARK: - The way in, from any task

extension PostgresPool {
    /// Carries out statements up to one sync, or a script, and waits for the end of it, its deadline, or cancellation.
    nonisolated(nonsending) func run(
        _ work: PipelineRequest.Work, lease: LeaseID? = nil, timeout: Duration?
    ) async throws(PostgresError) -> [PostgresRows] {
        try await submit(work, lease: lease, timeout: timeout) { .rows($0) }.get()
    }

    /// Waits for a connection of one's own, to be given back with ``end(_:)``.
    nonisolated(nonsending) func lease(
        _ kind: Lease.Kind, timeout: Duration?
    ) async throws(PostgresError) -> LeaseID {
        try await submit(.lease(kind), lease: nil, timeout: timeout) { .lease($0) }.get()
    }

    /// Carries out statements in their lane. `reply` is called once, on the event loop.
    nonisolated func run(
        _ commands: [PostgresCommand], in lane: PostgresLane,
        reply: @escaping @Sendable (Result<[PostgresRows], PostgresError>) -> Void
    ) {
        let submission = Submission(
            token: RequestToken(), work: .commands(commands), lease: nil, lane: lane,
            deadline: .now + configuration.queryTimeout, statementTimeout: nil, answer: .reply(reply))
        if !onLoop({ $0.accept(submission) }) { reply(.failure(.closed)) }
    }

    private nonisolated(nonsending) func submit<Value: Sendable>(
        _ work: PipelineRequest.Work, lease: LeaseID?, timeout: Duration?,
        _ answer: (CheckedContinuation<Result<Value, PostgresError>, Never>) -> PipelineRequest.Answer
    ) async -> Result<Value, PostgresError> {
        let token = RequestToken()
        let deadline = ContinuousClock.now + (timeout ?? configuration.queryTimeout)
        let ownTimeout = timeout == configuration.queryTimeout ? nil : timeout
        let limit = ownTimeout.map(StatementTimeout.milliseconds(within:))
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let submission = Submission(
                    token: token, work: work, lease: lease, deadline: deadline, statementTimeout: limit,
                    answer: answer(continuation))
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
            answer: submission.answer)
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
            // It runs its course; only its caller has gone. Its deadline still guards the connection.
            request.resume(.failure(request.error ?? .cancelled(outcomeUnknown: true)))
        }
    }

    /// Ends a request that has not been given to libpq. False when it has been.
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

    /// A request is through, well or not, and answers its caller.
    func leave(_ request: PipelineRequest) {
        requests[request.id] = nil
        if let lane = request.lane, lanes[lane]?.request == request.id { lanes[lane] = nil }
        metrics.queries.recordNanoseconds((ContinuousClock.now - request.submitted).wholeNanoseconds)
        request.finish()
    }

    /// A request has left this connection: there may be room for another, or the end of a lease.
    func settle(_ connection: PostgresConnection) {
        if connection.hasUnsent { unflushed.insert(connection.id) }
        if leases[connection.id] != nil {
            tidy(connection)
        } else {
            perform(machine.completed(on: connection.id, now: .now))
        }
    }

    // MARK: Deadlines

    var nextDeadline: ContinuousClock.Instant? {
        if requests.isEmpty { earliestDeadline = nil }
        var next = [earliestDeadline, machine.nextWake, drainDeadline].compactMap { $0 }.min()
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
        // What kept a waiting request waiting says more than that it waited.
        let reason = isWaiting && machine.isOutage && !machine.hasConnection ? lastConnectFailure : nil
        guard !withdraw(request, reason ?? .timedOut(outcomeUnknown: false)) else { return }
        // The server owes an answer that nobody will wait for, and what is behind it would wait as well.
        request.fail(.timedOut(outcomeUnknown: true))
        if let connection = request.connection.flatMap({ connections[$0] }) { lose(connection) }
    }
}

extension Duration {
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
