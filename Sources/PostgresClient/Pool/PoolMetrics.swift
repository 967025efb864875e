import Metrics

/// The pool's metrics, recorded when they change.
struct PoolMetrics {
    private let idle: Gauge
    private let busy: Gauge
    private let connecting: Gauge
    private let waiting: Gauge
    private let reconnects: Counter
    /// The duration of requests, waiting included.
    let queries: Timer
    private var last: PoolStateMachine.Counts?

    /// - Parameter prefix: of all names; `nil` for no metrics.
    init(prefix: String?) {
        let factory = prefix == nil ? NOOPMetricsHandler.instance : MetricsSystem.factory
        let prefix = prefix ?? ""
        func gauge(_ state: String) -> Gauge {
            Gauge(label: "\(prefix)_pool", dimensions: [("state", state)], factory: factory)
        }
        idle = gauge("idle")
        busy = gauge("busy")
        connecting = gauge("connecting")
        waiting = gauge("waiting")
        reconnects = Counter(label: "\(prefix)_reconnects_total", factory: factory)
        queries = Timer(label: "\(prefix)_query_seconds", factory: factory)
    }

    mutating func update(_ counts: PoolStateMachine.Counts) {
        guard counts != last else { return }
        last = counts
        idle.record(counts.idle)
        busy.record(counts.busy)
        connecting.record(counts.connecting)
        waiting.record(counts.waiting)
    }

    /// A connection was made to replace a lost one.
    func countReconnect() { reconnects.increment() }
}
