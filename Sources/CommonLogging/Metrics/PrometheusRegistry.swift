import CoreMetrics
import Logging
import Synchronization

/// The metrics of a process, shown to Prometheus.
///
/// Metric objects of swift-metrics keep the handle they get here, so the registry's lock is taken when one is made and
/// when the text is asked for, never to count.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// Of one metric. A label that somebody lets grow without bound must not take the process with it.
    public static let maximumSeriesPerMetric = 2_000

    /// What `/metrics` answers with.
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
    /// Only of the process's own registry.
    private let process: ProcessMetrics?
    private let logger = Logger(label: "metrics")

    private static let ofProcess: PrometheusRegistry = {
        let registry = PrometheusRegistry(process: ProcessMetrics())
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    /// A registry that shows what is made with it, and nothing of the process.
    public convenience init() { self.init(process: nil) }

    private init(process: ProcessMetrics?) { self.process = process }

    /// Makes every metric of this process land in one registry, and returns it; the same at every call.
    public static func bootstrap() -> PrometheusRegistry { ofProcess }

    /// All metrics, sorted by name and labels.
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

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { PrometheusCounter() } ?? NoOpMetric()
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { PrometheusFloatingPointCounter() } ?? NoOpMetric()
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { PrometheusGauge() } ?? NoOpMetric()
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return series(label, dimensions, .gauge) { PrometheusGauge() } ?? NoOpMetric() }
        return histogram(label, dimensions, HistogramBuckets(metricName: label)) ?? NoOpMetric()
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions, .seconds) ?? NoOpMetric()
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    // MARK: Series

    private func histogram(
        _ label: String, _ dimensions: [(String, String)], _ buckets: HistogramBuckets
    ) -> PrometheusHistogram? {
        series(label, dimensions, .histogram) { PrometheusHistogram(buckets: buckets) }
    }

    /// The series of these labels, made where it is not there yet.
    /// - Returns: `nil` where the name belongs to another kind of metric, or has too many series already.
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
