/// The least, the middle and the greatest of what was measured several times.
struct Spread: Codable, Equatable, Sendable {
    var min: Double
    var median: Double
    var max: Double

    /// - Parameter values: at least one, or all three are 0.
    init(_ values: [Double]) {
        let sorted = values.sorted()
        min = sorted.first ?? 0
        max = sorted.last ?? 0
        median = sorted.isEmpty ? 0 : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
