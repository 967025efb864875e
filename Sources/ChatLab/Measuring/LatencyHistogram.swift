/// Durations counted in buckets whose width grows with their value: each power of two has 64 of them, so a quantile is
/// at most 1.6 % too high. (The idea of HdrHistogram, without a dependency.)
struct LatencyHistogram: Sendable {
    private static let subBits = 6
    private static let subCount = 1 << subBits

    private var counts = [UInt64](repeating: 0, count: (64 - subBits + 1) << subBits)
    private(set) var count: UInt64 = 0
    private(set) var maximum: UInt64 = 0

    mutating func record(nanoseconds value: UInt64) {
        counts[Self.bucket(of: value)] += 1
        count += 1
        maximum = max(maximum, value)
    }

    mutating func merge(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        maximum = max(maximum, other.maximum)
    }

    /// The nanoseconds that the fraction `quantile` (0–1) of the values does not exceed; 0 if there are none.
    func value(at quantile: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let rank = max(1, UInt64((Double(count) * quantile).rounded(.up)))
        var seen: UInt64 = 0
        for (index, bucketCount) in counts.enumerated() {
            seen += bucketCount
            if seen >= rank { return min(Self.highest(in: index), maximum) }
        }
        return maximum
    }

    // Values below 64 have a bucket each; above, the six bits after the leading one choose within its power of two.
    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(subCount) else { return Int(value) }
        let shift = UInt64.bitWidth - value.leadingZeroBitCount - 1 - subBits
        return (shift + 1) << subBits + Int(value >> UInt64(shift)) - subCount
    }

    private static func highest(in bucket: Int) -> UInt64 {
        guard bucket >= subCount else { return UInt64(bucket) }
        let shift = UInt64(bucket >> subBits - 1)
        let mantissa = UInt64(bucket & (subCount - 1) + subCount)
        return (mantissa << shift) + ((1 << shift) - 1)
    }
}
