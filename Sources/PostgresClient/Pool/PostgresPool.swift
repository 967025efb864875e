import CommonUtil
import Logging
import Metrics
import Synchronization

/// The connection pool: carries out the decisions of ``PoolStateMachine`` on libpq's connections.
///
/// Its executor is the event loop, so its isolation is the loop's thread, and with it that of the connections and
/// requests it holds, none of which is `Sendable`.
actor PostgresPool {
    nonisolated let loop = PostgresEventLoop()
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    nonisolated let configuration: PostgresConfiguration
    nonisolated let logger: Logger
    /// Whether there is a connection to send requests on; written by the loop, read by any thread.
    nonisolated let isAvailable = Atomic(false)
    /// Number of connections that broke; written by the loop, read by any thread.
    nonisolated let brokenConnections = Atomic(0)
    /// Whether connections lead through a pooler.
    nonisolated let isPooled = Atomic(false)
    /// Whether the server was out of disk or memory, and has not proved writable since.
    nonisolated let lacksResources = Atomic(false)
    nonisolated let writeProof = WritabilityCheck()
    var machine: PoolStateMachine
    var metrics: PoolMetrics

    var connections: [PoolStateMachine.ConnectionID: PostgresConnection] = [:]
    var attempts: [PoolStateMachine.ConnectionID: ConnectAttempt] = [:]
    var awaitingAddresses: [PoolStateMachine.ConnectionID] = []
    var connectOrder = ConnectOrder()
    /// The connection and the newest request of each lane, while the request is in progress.
    var lanes: [PostgresLane: (connection: PoolStateMachine.ConnectionID, request: PoolStateMachine.RequestID)] = [:]
    var leases: [PoolStateMachine.ConnectionID: Lease] = [:]
    var lastLease: UInt64 = 0
    /// All requests in the pool; the callers of some may have been resumed.
    var requests: [PoolStateMachine.RequestID: PipelineRequest] = [:]
    /// A lower bound of the deadlines of ``requests``; where it is too early, one pass over all corrects it.
    var earliestDeadline: ContinuousClock.Instant?
    /// Connections with requests to send at the end of this turn.
    var unflushed: Set<PoolStateMachine.ConnectionID> = []
    /// Closures to call when this turn's requests have been sent.
    var afterSending: [@Sendable () -> Void] = []
    var lostConnections = 0
    var lastConnectFailure: PostgresError?
    var drainWaiters: [CheckedContinuation<Void, Never>] = []
    /// The time at which a shutdown stops waiting for requests in progress.
    var drainDeadline: ContinuousClock.Instant?
    var isDrained = false

    init(configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        machine = PoolStateMachine(
            PoolStateMachine.Limits(
                connections: max(1, configuration.maximumConnections), waiters: max(0, configuration.maximumWaiters),
                pipelineDepth: max(1, configuration.maximumPipelineDepth),
                backoff: Backoff(
                    first: configuration.reconnectBackoff.lowerBound, longest: configuration.reconnectBackoff.upperBound
                )))
        metrics = PoolMetrics(prefix: configuration.metricPrefix)
    }

    /// Runs a closure with the pool's isolation.
    /// - Returns: `false` if the client is closed; the closure is dropped then.
    @discardableResult
    nonisolated func onLoop(_ body: @escaping @Sendable (isolated PostgresPool) -> Void) -> Bool {
        loop.execute { self.assumeIsolated(body) }
    }

    // MARK: Carrying out decisions

    func perform(_ actions: [PoolStateMachine.Action]) {
        for action in actions {
            switch action {
            case .send(let id, let connectionID):
                guard let request = requests[id], let connection = connections[connectionID] else { continue }
                enqueue(request, on: connection)
            case .lease(let connectionID, let id):
                grant(connectionID, to: id)
            case .connect(let connectionID):
                connect(connectionID)
            case .refuse(let id, let error):
                requests.removeValue(forKey: id)?.resume(.failure(error))
            case .outageBegan:
                logger.warning(
                    "cannot connect to PostgreSQL",
                    metadata: ["url": "\(configuration)", "reason": "\(lastConnectFailure?.description ?? "")"])
            case .outageEnded:
                logger.info("connected to PostgreSQL again", metadata: ["url": "\(configuration)"])
            case .drained:
                closeNow()
            }
        }
    }

    func enqueue(_ request: PipelineRequest, on connection: PostgresConnection) {
        request.connection = connection.id
        if let lane = request.lane { lanes[lane] = (connection.id, request.id) }
        connection.enqueue(request)
        unflushed.insert(connection.id)
    }

    // MARK: Connecting

    private func connect(_ id: PoolStateMachine.ConnectionID) {
        let attempt = ConnectAttempt(
            id: id, deadline: .now + configuration.connectTimeout,
            setup: configuration.endpoint.sessionSetup(configuration))
        attempts[id] = attempt
        guard configuration.endpoint.needsResolving else { return begin(attempt, addresses: []) }
        awaitingAddresses.append(id)
        // Attempts made during a lookup share it.
        guard awaitingAddresses.count == 1 else { return }
        HostResolver.resolve(configuration.endpoint.hosts) { [self] result in
            onLoop { pool in pool.resolved(result) }
        }
    }

    private func resolved(_ result: Result<[[String]], PostgresError>) {
        let waiting = awaitingAddresses
        awaitingAddresses.removeAll()
        for attempt in waiting.compactMap({ attempts[$0] }) {
            switch result {
            case .success(let addresses): begin(attempt, addresses: addresses)
            case .failure(let error): progress(attempt, .failed(error))
            }
        }
    }

    private func begin(_ attempt: ConnectAttempt, addresses: [[String]]) {
        let targets = connectOrder.sorted(configuration.endpoint.targets(addresses: addresses))
        let keywords = configuration.endpoint.keywords(configuration, targets: targets)
        progress(attempt, attempt.start(keywords, targets: targets))
    }

    func progress(_ attempt: ConnectAttempt, _ progress: ConnectAttempt.Progress) {
        switch progress {
        case .pending:
            break
        case .connected(let connected):
            attempts[attempt.id] = nil
            if connected.isPooled { isPooled.store(true, ordering: .relaxed) }
            if let position = connected.position { connectOrder.connected(to: position, of: attempt.targets) }
            connections[attempt.id] = PostgresConnection(
                id: attempt.id, owning: connected.handle, preparedStatements: configuration.maximumPreparedStatements)
            if lostConnections > 0 {
                lostConnections -= 1
                metrics.countReconnect()
            }
            perform(machine.connected(attempt.id, now: .now))
        case .failed(let error):
            attempts[attempt.id] = nil
            if let position = attempt.position { connectOrder.failed(at: position, of: attempt.targets) }
            lastConnectFailure = error
            perform(machine.connectFailed(attempt.id, now: .now))
        }
    }

    // MARK: Losing and closing connections

    /// Ends a broken connection and all requests on it, and replaces it.
    func lose(_ connection: PostgresConnection) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        lostConnections += 1
        // Before the requests on it end, so that whoever sees one fail sees this, too.
        brokenConnections.add(1, ordering: .relaxed)
        let abandoned = connection.abandon()
        leases[connection.id] = nil
        unflushed.remove(connection.id)
        logger.debug("connection to PostgreSQL lost", metadata: ["requests": .stringConvertible(abandoned.count)])
        for request in abandoned { leave(request) }
        perform(machine.closed(connection.id, isBroken: true, now: .now))
    }

    /// Closes an idle connection.
    func close(_ connection: PostgresConnection) {
        connections[connection.id] = nil
        leases[connection.id] = nil
        perform(machine.closed(connection.id, isBroken: false, now: .now))
    }

    /// Refuses new requests, and resumes `waiter` when those in progress have ended.
    func shutdown(_ waiter: CheckedContinuation<Void, Never>) {
        guard !isDrained else { return waiter.resume() }
        drainWaiters.append(waiter)
        drainDeadline = drainDeadline ?? .now + configuration.queryTimeout
        perform(machine.shutdown(now: .now))
    }

    /// Ends all requests and connections at once.
    func closeNow() {
        isDrained = true
        drainDeadline = nil
        machine.abandon()
        let ended = connections.values.flatMap { $0.abandon() }
        connections.removeAll()
        attempts.removeAll()
        leases.removeAll()
        unflushed.removeAll()
        for request in ended { leave(request) }
        for request in requests.values { request.resume(.failure(.closed)) }
        requests.removeAll()
        isAvailable.store(false, ordering: .relaxed)
        for waiter in drainWaiters { waiter.resume() }
        drainWaiters.removeAll()
    }
}

// MARK: - The loop's turns

extension PostgresPool: PostgresEventLoopHandler {
    nonisolated func prepareToWait(_ watches: inout [SocketWatch]) -> ContinuousClock.Instant? {
        assumeIsolated { pool in
            for connection in pool.connections.values { watches.append(connection.watch) }
            for attempt in pool.attempts.values { if let watch = attempt.watch { watches.append(watch) } }
            return pool.nextDeadline
        }
    }

    nonisolated func ready(_ watch: SocketWatch) {
        assumeIsolated { pool in
            if let connection = pool.connections[watch.connection] {
                pool.receive(connection)
            } else if let attempt = pool.attempts[watch.connection] {
                pool.progress(attempt, attempt.advance())
            }
        }
    }

    nonisolated func turnEnded() {
        // Once a turn, since each time takes 1,500 instructions.
        let closures = assumeIsolated { pool in
            pool.checkDeadlines(now: .now)
            // Losing one connection may assign requests to another.
            while let id = pool.unflushed.popFirst() { pool.flush(id) }
            pool.metrics.update(pool.machine.counts)
            pool.isAvailable.store(pool.machine.hasConnection && !pool.isDrained, ordering: .relaxed)
            defer { pool.afterSending.removeAll() }
            return pool.afterSending
        }
        for closure in closures { closure() }
    }

    private func receive(_ connection: PostgresConnection) {
        var finished: [PipelineRequest] = []
        var isLost = false
        do throws(PostgresError) {
            try connection.receive { finished.append($0) }
        } catch {
            isLost = true
        }
        if connection.takeLackOfResources() {
            lacksResources.store(true, ordering: .relaxed)
            writeProof.invalidate()
        }
        // Waiting requests must not be assigned to a connection that is about to be closed.
        let isOver = isLost || connection.isUnusable
        if connection.isUnusable { writeProof.invalidate() }
        for request in finished {
            leave(request)
            if !isOver { settle(connection) }
        }
        if isOver { lose(connection) }
    }

    private func flush(_ id: PoolStateMachine.ConnectionID) {
        guard let connection = connections[id] else { return }
        do throws(PostgresError) {
            try connection.flush()
        } catch {
            lose(connection)
        }
    }
}
