import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct LatencyHistogramTests {
    @Test func `quantiles are at most 1_6 % above the true value, and the maximum is exact`() {
        var histogram = LatencyHistogram()
        for value in 1...100_000 as ClosedRange<UInt64> { histogram.record(nanoseconds: value * 1000) }
        for quantile in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let exact = quantile * 100_000 * 1000
            let value = Double(histogram.value(at: quantile))
            #expect(value >= exact && value <= exact * 1.016, "\(quantile): \(value) for \(exact)")
        }
        #expect(histogram.value(at: 1) == 100_000_000)
        #expect(histogram.maximum == 100_000_000)
        #expect(histogram.count == 100_000)
    }

    @Test(arguments: [0, 1, 63, 64, 65, UInt64.max])
    func `a latency histogram is exact for small values and takes the largest`(value: UInt64) {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: value)
        #expect(histogram.value(at: 0.5) == value)
    }

    @Test func `a latency histogram merges, and an empty one is 0`() {
        var one = LatencyHistogram()
        var other = LatencyHistogram()
        #expect(one.value(at: 0.99) == 0)
        one.record(nanoseconds: 10)
        other.record(nanoseconds: 1000)
        one.merge(other)
        #expect(one.count == 2)
        #expect(one.value(at: 0.5) == 10)
        #expect(one.value(at: 1) == 1000)
    }
}
