/// Whether something that was sampled at even intervals has grown: the middle of the last third of the samples against
/// that of the first, so that a moment's peak decides nothing.
struct GrowthCheck: Equatable, Sendable {
    let first: Spread
    let last: Spread

    /// - Parameter samples: those after the warm-up.
    /// - Returns: nil for fewer than three, of which nothing can be said.
    init?(_ samples: [Double]) {
        guard samples.count >= 3 else { return nil }
        let third = samples.count / 3
        first = Spread(Array(samples.prefix(third)))
        last = Spread(Array(samples.suffix(third)))
    }

    /// From the middle of the first third to the middle of the last.
    var growth: Double { last.median - first.median }
}
