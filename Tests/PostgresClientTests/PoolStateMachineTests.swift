import CommonUtil
import Testing

@testable import PostgresClient

/// The pool's decisions, without I/O and on a clock that stands still unless a test moves it.
@Suite(.timeLimit(.minutes(2))) struct PoolStateMachineTests {
    private let now = ContinuousClock.now

    private func machine(connections: Int = 2, waiters: Int = 4, depth: Int = 3) -> PoolStateMachine {
        PoolStateMachine(
            PoolStateMachine.Limits(
                connections: connections, waiters: waiters, pipelineDepth: depth,
                backoff: Backoff(first: .milliseconds(50), longest: .seconds(3))))
    }

    @Test func `opens a connection for the first request and sends it there`() {
        var pool = machine()
        #expect(pool.enqueue(1, .shared, now: now) == [.connect(1)])
        #expect(pool.connected(1, now: now) == [.send(1, on: 1)])
        #expect(pool.completed(on: 1, now: now) == [])
        #expect(pool.enqueue(2, .shared, now: now) == [.send(2, on: 1)])
    }

    @Test func `opens another before it shares and then takes the shortest pipeline`() {
        var pool = machine()
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        #expect(pool.enqueue(2, .shared, now: now) == [.connect(2)])
        // As many as allowed: the oldest waiter joins, the newest waits for the new connection.
        #expect(pool.enqueue(3, .shared, now: now) == [.send(2, on: 1)])
        #expect(pool.connected(2, now: now) == [.send(3, on: 2)])
        #expect(pool.enqueue(4, .shared, now: now) == [.send(4, on: 2)])
        #expect(pool.completed(on: 1, now: now) == [])
        #expect(pool.enqueue(5, .shared, now: now) == [.send(5, on: 1)])
    }

    @Test func `bounds pipelines and queue`() {
        var pool = machine(connections: 1, waiters: 1, depth: 2)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        #expect(pool.enqueue(2, .shared, now: now) == [.send(2, on: 1)])
        #expect(pool.enqueue(3, .shared, now: now) == [])
        #expect(pool.enqueue(4, .shared, now: now) == [.refuse(4, .tooManyWaiters)])
        #expect(pool.counts == PoolStateMachine.Counts(busy: 1, waiting: 1))
        #expect(pool.completed(on: 1, now: now) == [.send(3, on: 1)])
    }

    @Test func `a request of a lane joins its pipeline though other connections are idle`() {
        var pool = machine(connections: 2, depth: 2)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        _ = pool.enqueue(2, .shared, now: now)
        _ = pool.connected(2, now: now)
        #expect(pool.completed(on: 2, now: now) == [])
        #expect(pool.enqueue(3, .shared, behind: 1, now: now) == [.send(3, on: 1)])
        // Full; and what it was behind may be gone.
        #expect(pool.enqueue(4, .shared, behind: 1, now: now) == [.send(4, on: 2)])
        #expect(pool.completed(on: 2, now: now) == [])
        #expect(pool.enqueue(5, .shared, behind: 9, now: now) == [.send(5, on: 2)])
    }

    @Test func `no request joins a reserved connection`() {
        var pool = machine(connections: 1, depth: 4)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        #expect(pool.enqueue(2, .exclusive, now: now) == [])
        #expect(pool.enqueue(3, .shared, behind: 1, now: now) == [])
        #expect(pool.completed(on: 1, now: now) == [.lease(1, to: 2)])
    }

    @Test func `leases an idle connection exclusively`() {
        var pool = machine(connections: 1)
        _ = pool.enqueue(1, .exclusive, now: now)
        #expect(pool.connected(1, now: now) == [.lease(1, to: 1)])
        #expect(pool.enqueue(2, .shared, now: now) == [])
        #expect(pool.released(1, now: now) == [.send(2, on: 1)])
    }

    @Test func `a lease reserves a busy connection until it is idle`() {
        var pool = machine(connections: 1)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        _ = pool.enqueue(2, .shared, now: now)
        #expect(pool.enqueue(3, .exclusive, now: now) == [])
        #expect(pool.enqueue(4, .shared, now: now) == [])
        #expect(pool.completed(on: 1, now: now) == [])
        #expect(pool.completed(on: 1, now: now) == [.lease(1, to: 3)])
        #expect(pool.released(1, now: now) == [.send(4, on: 1)])
    }

    @Test func `a cancelled reservation opens the connection again`() {
        var pool = machine(connections: 1)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        _ = pool.enqueue(2, .exclusive, now: now)
        _ = pool.enqueue(3, .shared, now: now)
        let (wasWaiting, actions) = pool.cancel(2, now: now)
        #expect(wasWaiting)
        #expect(actions == [.send(3, on: 1)])
        #expect(pool.cancel(3, now: now).wasWaiting == false)
    }

    @Test func `a lost reserved connection puts the lease in front again`() {
        var pool = machine(connections: 1)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        _ = pool.enqueue(2, .exclusive, now: now)
        _ = pool.enqueue(3, .shared, now: now)
        #expect(pool.closed(1, isBroken: false, now: now) == [.connect(2)])
        #expect(pool.connected(2, now: now) == [.lease(2, to: 2)])
    }

    @Test func `during an outage one attempt at a time probes after a backoff`() throws {
        var pool = machine()
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.enqueue(2, .shared, now: now)
        #expect(pool.connectFailed(1, now: now) == [.outageBegan])
        #expect(pool.connectFailed(2, now: now) == [])
        let retry = try #require(pool.nextWake)
        #expect(retry > now && retry <= now + .milliseconds(100))
        #expect(pool.timeReached(now: retry) == [.connect(3)])
        #expect(pool.enqueue(3, .shared, now: retry) == [])
        #expect(pool.connectFailed(3, now: retry) == [])
        let later = try #require(pool.nextWake)
        #expect(pool.timeReached(now: later) == [.connect(4)])
        #expect(pool.connected(4, now: later).prefix(2) == [.outageEnded, .send(1, on: 4)])
        #expect(!pool.isOutage)
    }

    @Test func `keeps one connection once started`() throws {
        var pool = machine()
        #expect(pool.start(now: now) == [.connect(1)])
        _ = pool.connected(1, now: now)
        #expect(pool.nextWake == nil)
        #expect(pool.closed(1, isBroken: false, now: now) == [.connect(2)])
    }

    @Test func `a connection that broke unused is replaced after a backoff`() throws {
        var pool = machine(connections: 1)
        _ = pool.start(now: now)
        _ = pool.connected(1, now: now)
        #expect(pool.closed(1, isBroken: true, now: now) == [])
        let retry = try #require(pool.nextWake)
        #expect(retry > now)
        #expect(pool.timeReached(now: retry) == [.connect(2)])
        _ = pool.connected(2, now: retry)
        _ = pool.enqueue(1, .shared, now: retry)
        _ = pool.completed(on: 2, now: retry)
        #expect(pool.closed(2, isBroken: true, now: retry) == [.connect(3)])
    }

    @Test func `drains before it closes`() {
        var pool = machine(connections: 1)
        _ = pool.enqueue(1, .shared, now: now)
        _ = pool.connected(1, now: now)
        _ = pool.enqueue(2, .exclusive, now: now)
        #expect(pool.shutdown(now: now) == [])
        #expect(pool.enqueue(3, .shared, now: now) == [.refuse(3, .closed)])
        #expect(pool.completed(on: 1, now: now) == [.lease(1, to: 2)])
        #expect(pool.released(1, now: now) == [.drained])
        #expect(pool.shutdown(now: now) == [])
    }
}
