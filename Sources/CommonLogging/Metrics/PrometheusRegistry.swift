import CoreMetrics
import Logging
import Synchronization

/// A registry of metrics in Prometheus' text format.
///
/// Metric objects of swift-metrics keep their handlers, so the lock of the registry is taken when a metric is created and
/// on a scrape, never for counting.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// Maximum number of label sets of a metric, so that a label with unbounded values cannot use up the memory.
    public static let maximumSeriesPerMetric = 2_000

    /// The media type of ``text()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private enum Kind: String {
        case counter, gauge, histogram
    }

    private struct Metric {
        let kind: Kind
        /// By the text of the labels.
        var series: [String: any PrometheusSeries] = [:]
    }

    private let metrics = Mutex<[String: Metric]>([:])
    /// Set only in the registry of ``bootstrap()``.
    private let process: ProcessMetrics?
    private let logger = Logger(label: "metrics")

    private static let ofProcess: PrometheusRegistry = {
        let registry = PrometheusRegistry(process: ProcessMetrics())
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    /// Creates a registry without the metrics of the process.
    public convenience init() { self.init(process: nil) }

    private init(process: ProcessMetrics?) { self.process = process }

    /// Makes one registry the metrics factory of the process, and returns it; the same one on every call.
    public static func bootstrap() -> PrometheusRegistry { ofProcess }

    /// Returns all metrics, sorted by name and labels.
    public func text() -> String {
        let metrics = metrics.withLock { $0 }
        var blocks: [(name: String, text: String)] = []
        for (name, metric) in metrics where !metric.series.isEmpty {
            var text = PrometheusText.head(name, kind: metric.kind.rawValue)
            for (labels, series) in metric.series.sorted(by: { $0.key < $1.key }) {
                series.write(name: name, labels: labels, to: &text)
            }
            blocks.append((name, text))
        }
        for sample in process?.samples() ?? [] {
            let kind: Kind = sample.isCounter ? .counter : .gauge
            blocks.append(
                (
                    sample.name,
                    PrometheusText.head(sample.name, kind: kind.rawValue)
                        + PrometheusText.sample(sample.name, "", PrometheusText.number(sample.value))
                ))
        }
        return blocks.sorted { $0.name < $1.name }.map(\.text).joined()
    }

    // MARK: MetricsFactory

    /// Makes the handler of a counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { PrometheusCounter() } ?? NoOpMetric()
    }

    /// Makes the handler of a counter of floating-point numbers.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { PrometheusFloatingPointCounter() } ?? NoOpMetric()
    }

    /// Makes the handler of a gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { PrometheusGauge() } ?? NoOpMetric()
    }

    /// Makes the handler of a histogram where `aggregate` is set, else that of a gauge.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { PrometheusGauge() } ?? NoOpMetric() }
        return histogram(label, dimensions, HistogramBuckets(metricName: label)) ?? NoOpMetric()
    }

    /// Makes the handler of a histogram of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions, .seconds) ?? NoOpMetric()
    }

    /// Removes a counter.
    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    /// Removes a counter of floating-point numbers.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    /// Removes a gauge.
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    /// Removes a histogram or gauge.
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    /// Removes a histogram of seconds.
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    // MARK: Series

    private func histogram(
        _ label: String, _ dimensions: [(String, String)], _ buckets: HistogramBuckets
    ) -> PrometheusHistogram? {
        series(label, dimensions, .histogram) { PrometheusHistogram(buckets: buckets) }
    }

    /// Returns the series of these labels, created where it does not exist.
    /// - Returns: `nil` if the name is that of another kind of metric, or has too many series.
    private func series<Series: PrometheusSeries>(
        _ label: String, _ dimensions: [(String, String)], _ kind: Kind, make: () -> Series
    ) -> Series? {
        let name = PrometheusText.name(label)
        let labels = PrometheusText.labels(dimensions)
        let series = metrics.withLock { metrics -> Series? in
            let metric = metrics[name] ?? Metric(kind: kind)
            guard metric.kind == kind else { return nil }
            if let known = metric.series[labels] { return known as? Series }
            guard metric.series.count < Self.maximumSeriesPerMetric else { return nil }
            let new = make()
            metrics[name, default: metric].series[labels] = new
            return new
        }
        if series == nil {
            logger.error(
                "A metric is not shown: its name is of another kind, or it has too many label sets",
                metadata: ["metric": "\(name)"])
        }
        return series
    }

    private func remove(_ handler: AnyObject) {
        metrics.withLock { metrics in
            for (name, metric) in metrics {
                for (labels, series) in metric.series where series === handler {
                    metrics[name]?.series[labels] = nil
                }
            }
        }
    }
}
