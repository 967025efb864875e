/// The upper bounds of a histogram's buckets, ascending; the one of infinity is understood.
struct HistogramBuckets: Equatable {
    let bounds: [Double]

    /// Seconds, 0.5 ms to 10 s.
    static let seconds = HistogramBuckets(
        bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])
    /// How many at once, 1 to 1000.
    static let size = HistogramBuckets(bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000])
    /// Bytes, 64 to 1 Mi.
    static let bytes = HistogramBuckets(bounds: [64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576])

    /// The unit is told by the name's end, as Prometheus' naming rules have it.
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

    /// The bucket that counts `value`; `bounds.count` stands for infinity.
    func index(of value: Double) -> Int { bounds.firstIndex { value <= $0 } ?? bounds.count }
}
