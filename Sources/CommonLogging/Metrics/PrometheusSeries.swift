import CoreMetrics
import Synchronization

/// One time series: a metric with one set of labels.
protocol PrometheusSeries: AnyObject, Sendable {
    /// Appends the samples of the series.
    /// - Parameter labels: the text between the braces, possibly empty.
    func write(name: String, labels: String, to text: inout String)
}

/// A counter of integers.
final class PrometheusCounter: PrometheusSeries, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { value.store(0, ordering: .relaxed) }

    func write(name: String, labels: String, to text: inout String) {
        text += PrometheusText.sample(name, labels, "\(value.load(ordering: .relaxed))")
    }
}

/// A counter of floating-point numbers.
final class PrometheusFloatingPointCounter: PrometheusSeries, FloatingPointCounterHandler {
    private let value = Mutex(0.0)

    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func reset() { value.withLock { $0 = 0 } }

    func write(name: String, labels: String, to text: inout String) {
        text += PrometheusText.sample(name, labels, PrometheusText.number(value.withLock { $0 }))
    }
}

/// A meter, or a recorder that does not aggregate: a gauge of the last value.
final class PrometheusGauge: PrometheusSeries, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func write(name: String, labels: String, to text: inout String) {
        text += PrometheusText.sample(name, labels, PrometheusText.number(value.withLock { $0 }))
    }
}

/// A timer, or a recorder that aggregates: a histogram.
final class PrometheusHistogram: PrometheusSeries, RecorderHandler, TimerHandler {
    private struct State {
        /// The counts per bucket, not cumulative.
        var counts: [UInt64]
        var sum = 0.0
    }

    private let buckets: HistogramBuckets
    private let state: Mutex<State>

    init(buckets: HistogramBuckets) {
        self.buckets = buckets
        state = Mutex(State(counts: Array(repeating: 0, count: buckets.bounds.count + 1)))
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let index = buckets.index(of: value)
        state.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }

    /// Records a duration in seconds, Prometheus' base unit.
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1_000_000_000) }

    func write(name: String, labels: String, to text: inout String) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        let prefix = labels.isEmpty ? "" : labels + ","
        var total: UInt64 = 0
        for (bound, count) in zip(buckets.bounds + [.infinity], counts) {
            total += count
            text += PrometheusText.sample(
                name + "_bucket", "\(prefix)le=\"\(PrometheusText.number(bound))\"", "\(total)")
        }
        text += PrometheusText.sample(name + "_sum", labels, PrometheusText.number(sum))
        text += PrometheusText.sample(name + "_count", labels, "\(total)")
    }
}

/// The handler of a metric that is not shown: its name is that of another kind, or it has too many label sets.
final class NoOpMetric: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    func increment(by: Int64) {}
    func increment(by: Double) {}
    func decrement(by: Double) {}
    func set(_ value: Int64) {}
    func set(_ value: Double) {}
    func record(_ value: Int64) {}
    func record(_ value: Double) {}
    func recordNanoseconds(_ duration: Int64) {}
    func reset() {}
}

/// The upper bounds of a histogram's buckets, ascending, without infinity.
struct HistogramBuckets: Equatable {
    let bounds: [Double]

    /// Seconds, 0.5 ms to 10 s.
    static let seconds = HistogramBuckets(
        bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
    /// Sizes of batches, 1 to 1000.
    static let size = HistogramBuckets(bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000])
    /// Bytes, 64 to 1 Mi.
    static let bytes = HistogramBuckets(bounds: [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576])

    /// Chooses the buckets by the unit at the end of a name (Prometheus' naming conventions).
    init(metricName: String) {
        if metricName.hasSuffix("_bytes") {
            self = .bytes
        } else if metricName.hasSuffix("_seconds") {
            self = .seconds
        } else {
            self = .size
        }
    }

    private init(bounds: [Double]) { self.bounds = bounds }

    /// Returns the bucket of a value; `bounds.count` for infinity.
    func index(of value: Double) -> Int { bounds.firstIndex { value <= $0 } ?? bounds.count }
}
