import Metrics

/// The pool's numbers, told to swift-metrics when they change.
struct PoolMetrics {
    private let idle: Gauge
    private let busy: Gauge
    private let connecting: Gauge
    private let waiting: Gauge
    private let reconnects: Counter
    private var last: PoolStateMachine.Counts?

    init(prefix: String) {
        func gauge(_ state: String) -> Gauge { Gauge(label: "\(prefix)_pool", dimensions: [("state", state)]) }
        idle = gauge("idle")
        busy = gauge("busy")
        connecting = gauge("connecting")
        waiting = gauge("waiting")
        reconnects = Counter(label: "\(prefix)_reconnects_total")
    }

    mutating func update(_ counts: PoolStateMachine.Counts) {
        guard counts != last else { return }
        last = counts
        idle.record(counts.idle)
        busy.record(counts.busy)
        connecting.record(counts.connecting)
        waiting.record(counts.waiting)
    }

    /// A connection was made in place of one that was lost.
    func countReconnect() { reconnects.increment() }
}
