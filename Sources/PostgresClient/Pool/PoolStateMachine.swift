import CommonUtil
import DequeModule

/// Decides which request goes to which connection, and when to open one. Pure: each input is an event with its time,
/// and returns the actions to take.
///
/// A request takes an idle connection; else a new one is opened for it; else, when there are as many as allowed, it
/// joins the shortest pipeline; else it waits. Waiting requests are served in order. An exclusive request (a lease)
/// reserves the connection with the shortest pipeline, which gets no new requests and is leased when it is idle.
struct PoolStateMachine {
    typealias ConnectionID = Int
    typealias RequestID = UInt64
    typealias Instant = ContinuousClock.Instant

    /// The bounds of the pool.
    struct Limits {
        var connections: Int
        var waiters: Int
        var pipelineDepth: Int
        var backoff: Backoff
    }

    /// Whether a request shares a connection or needs one exclusively (a lease).
    enum Demand { case shared, exclusive }

    /// What the pool has to do.
    enum Action: Hashable {
        case send(RequestID, on: ConnectionID)
        case lease(ConnectionID, to: RequestID)
        case connect(ConnectionID)
        case refuse(RequestID, PostgresError)
        /// The first failure to connect after things went well, and the first success after that.
        case outageBegan, outageEnded
        /// After ``PoolStateMachine/shutdown(now:)``: no request waits or is in progress.
        case drained
    }

    private struct Waiter {
        var id: RequestID
        var demand: Demand
    }

    private enum State {
        case connecting
        case shared(depth: Int, reservation: RequestID?)
        case leased
    }

    private struct Slot {
        var id: ConnectionID
        var state: State
        /// It has completed a request.
        var isProven = false

        var isConnecting: Bool { if case .connecting = state { true } else { false } }
        var isIdle: Bool { if case .shared(depth: 0, reservation: nil) = state { true } else { false } }
    }

    private enum Phase { case idle, running, draining, drained }

    private let limits: Limits
    private var phase = Phase.idle
    // A handful: searching an array beats hashing.
    private var slots: [Slot] = []
    private var waiters = Deque<Waiter>()
    private var lastConnectionID = 0
    private var failures = 0
    /// Connections in a row that broke before they had completed a request.
    private var earlyLosses = 0
    private var retryAt: Instant?

    init(_ limits: Limits) {
        self.limits = limits
    }

    // MARK: Events

    /// Keeps at least one connection open from now on, so that an outage and its end are noticed without requests.
    mutating func start(now: Instant) -> [Action] {
        if phase == .idle { phase = .running }
        return settle(now)
    }

    /// Takes a request.
    /// - Parameter behind: the connection whose pipeline a shared request joins if it can, even if others are idle.
    mutating func enqueue(
        _ id: RequestID, _ demand: Demand, behind connection: ConnectionID? = nil, now: Instant
    ) -> [Action] {
        switch phase {
        case .idle: phase = .running
        case .running: break
        case .draining, .drained: return [.refuse(id, .closed)]
        }
        if let index = connection.flatMap(index(of:)), case .shared(let depth, nil) = slots[index].state, depth > 0,
            depth < limits.pipelineDepth
        {
            slots[index].state = .shared(depth: depth + 1, reservation: nil)
            return [.send(id, on: slots[index].id)]
        }
        waiters.append(Waiter(id: id, demand: demand))
        var actions = settle(now)
        if waiters.count > limits.waiters, waiters.last?.id == id {
            waiters.removeLast()
            actions.append(.refuse(id, .tooManyWaiters))
        }
        return actions
    }

    /// A request is cancelled. It has not been waiting if it was assigned before.
    mutating func cancel(_ id: RequestID, now: Instant) -> (wasWaiting: Bool, actions: [Action]) {
        if let index = waiters.firstIndex(where: { $0.id == id }) {
            waiters.remove(at: index)
            return (true, settle(now))
        }
        for index in slots.indices {
            if case .shared(let depth, .some(id)) = slots[index].state {
                slots[index].state = .shared(depth: depth, reservation: nil)
                return (true, settle(now))
            }
        }
        return (false, [])
    }

    /// A connection is established.
    mutating func connected(_ connection: ConnectionID, now: Instant) -> [Action] {
        guard let index = index(of: connection) else { return [] }
        slots[index].state = .shared(depth: 0, reservation: nil)
        let isRecovery = failures > 0
        failures = 0
        retryAt = nil
        return (isRecovery ? [.outageEnded] : []) + settle(now)
    }

    /// A connection could not be established.
    mutating func connectFailed(_ connection: ConnectionID, now: Instant) -> [Action] {
        guard remove(connection) != nil else { return [] }
        let isFirst = failures == 0
        // Attempts that fail together count once.
        if isFirst || count(where: \.isConnecting) == 0 { failures += 1 }
        retryAt = now + limits.backoff.delay(afterFailures: failures)
        return (isFirst ? [.outageBegan] : []) + settle(now)
    }

    /// A shared request has left the connection's pipeline.
    mutating func completed(on connection: ConnectionID, now: Instant) -> [Action] {
        guard let index = index(of: connection), case .shared(let depth, let reservation) = slots[index].state else {
            return []
        }
        prove(index)
        guard depth == 1, let reservation else {
            slots[index].state = .shared(depth: depth - 1, reservation: reservation)
            return settle(now)
        }
        slots[index].state = .leased
        return [.lease(connection, to: reservation)] + settle(now)
    }

    /// A leased connection is clean and can be shared again.
    mutating func released(_ connection: ConnectionID, now: Instant) -> [Action] {
        guard let index = index(of: connection), case .leased = slots[index].state else { return [] }
        prove(index)
        slots[index].state = .shared(depth: 0, reservation: nil)
        return settle(now)
    }

    /// A connection has ended, and with it the requests on it.
    ///
    /// One that broke before its first response is not replaced at once: a server that accepts connections only to
    /// close them must not be flooded.
    mutating func closed(_ connection: ConnectionID, isBroken: Bool, now: Instant) -> [Action] {
        guard let slot = remove(connection) else { return [] }
        if isBroken, !slot.isProven {
            earlyLosses += 1
            retryAt = now + limits.backoff.delay(afterFailures: earlyLosses)
        }
        if case .shared(_, .some(let reservation)) = slot.state {
            waiters.prepend(Waiter(id: reservation, demand: .exclusive))
        }
        return settle(now)
    }

    /// The time of ``nextWake`` has come.
    mutating func timeReached(now: Instant) -> [Action] { settle(now) }

    /// Refuses new requests, lets the others finish, and then returns ``Action/drained``.
    mutating func shutdown(now: Instant) -> [Action] {
        guard phase != .drained else { return [] }
        phase = .draining
        return settle(now)
    }

    /// All requests and connections have been ended by the pool.
    mutating func abandon() {
        phase = .drained
        slots.removeAll()
        waiters.removeAll()
    }

    // MARK: State

    /// The time at which ``timeReached(now:)`` has to be called.
    var nextWake: Instant? { wantsConnection && hasRoom && count(where: \.isConnecting) == 0 ? retryAt : nil }

    /// Whether the last attempt to connect failed.
    var isOutage: Bool { failures > 0 }

    /// Whether there is a connection to send requests on.
    var hasConnection: Bool { slots.contains { !$0.isConnecting } }

    /// The numbers of connections and waiting requests.
    struct Counts: Hashable {
        var idle = 0
        var busy = 0
        var connecting = 0
        var waiting = 0
    }

    var counts: Counts {
        let reservations = count { if case .shared(_, .some) = $0.state { true } else { false } }
        var counts = Counts(waiting: waiters.count + reservations)
        for slot in slots {
            switch slot.state {
            case .connecting: counts.connecting += 1
            case .shared(depth: 0, reservation: nil): counts.idle += 1
            case .shared, .leased: counts.busy += 1
            }
        }
        return counts
    }

    // MARK: Decisions

    private mutating func settle(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        while let waiter = waiters.first {
            if let index = slots.firstIndex(where: \.isIdle) {
                actions.append(assign(waiter, to: index))
                continue
            }
            // As many requests as connections are being opened wait for these, but not during an outage.
            let covered = failures == 0 ? count(where: \.isConnecting) : 0
            guard waiters.count > covered else { break }
            if canConnect(now) {
                actions.append(connect())
            } else if let index = shortestPipeline() {
                actions.append(contentsOf: joinPipeline(waiter, at: index))
            } else {
                break
            }
        }
        if wantsConnection, slots.isEmpty, canConnect(now) { actions.append(connect()) }
        if phase == .draining, waiters.isEmpty, slots.allSatisfy({ $0.isIdle || $0.isConnecting }) {
            phase = .drained
            actions.append(.drained)
        }
        return actions
    }

    private mutating func assign(_ waiter: Waiter, to index: Int) -> Action {
        waiters.removeFirst()
        switch waiter.demand {
        case .shared:
            slots[index].state = .shared(depth: 1, reservation: nil)
            return .send(waiter.id, on: slots[index].id)
        case .exclusive:
            slots[index].state = .leased
            return .lease(slots[index].id, to: waiter.id)
        }
    }

    private mutating func joinPipeline(_ waiter: Waiter, at index: Int) -> [Action] {
        guard case .shared(let depth, nil) = slots[index].state else { return [] }
        waiters.removeFirst()
        switch waiter.demand {
        case .shared:
            slots[index].state = .shared(depth: depth + 1, reservation: nil)
            return [.send(waiter.id, on: slots[index].id)]
        case .exclusive:
            slots[index].state = .shared(depth: depth, reservation: waiter.id)
            return []
        }
    }

    /// The unreserved connection with the fewest requests in progress, if it can take one more.
    private func shortestPipeline() -> Int? {
        var shortest: (index: Int, depth: Int)?
        for index in slots.indices {
            if case .shared(let depth, nil) = slots[index].state, depth < shortest?.depth ?? limits.pipelineDepth {
                shortest = (index, depth)
            }
        }
        return shortest?.index
    }

    private mutating func connect() -> Action {
        lastConnectionID += 1
        slots.append(Slot(id: lastConnectionID, state: .connecting))
        return .connect(lastConnectionID)
    }

    private func canConnect(_ now: Instant) -> Bool {
        guard hasRoom else { return false }
        guard let retryAt else { return true }
        // During an outage one attempt at a time probes the server.
        return now >= retryAt && count(where: \.isConnecting) == 0
    }

    private mutating func prove(_ index: Int) {
        slots[index].isProven = true
        earlyLosses = 0
    }

    private var hasRoom: Bool { slots.count < limits.connections && phase != .drained }

    private var wantsConnection: Bool { !waiters.isEmpty || (phase == .running && slots.isEmpty) }

    private func index(of connection: ConnectionID) -> Int? { slots.firstIndex { $0.id == connection } }

    private mutating func remove(_ connection: ConnectionID) -> Slot? {
        index(of: connection).map { slots.remove(at: $0) }
    }

    private func count(where predicate: (Slot) -> Bool) -> Int {
        slots.reduce(0) { predicate($1) ? $0 + 1 : $0 }
    }
}
