/// When the next batch may follow those under way. Pure: no I/O.
///
/// PostgreSQL should find a batch when it is done with one, but few large batches cost less than many small ones. So a
/// second one goes out behind the first as soon as it is at least as large, and no small one at all: PostgreSQL carries
/// them out one after the other in any case. What comes later gathers for a third.
struct BatchPacing {
    private static let depth = 2

    /// Posts that make a second batch worth its cost.
    private static let worthwhile = 16

    private var underWay: [Int] = []

    var isIdle: Bool { underWay.isEmpty }

    /// Posts that must wait before another batch goes out; `Int.max` while none may.
    /// - Parameter limit: of posts in a batch.
    func minimum(limit: Int) -> Int {
        guard underWay.count < Self.depth else { return .max }
        return min(underWay.first.map { max($0, Self.worthwhile) } ?? 1, limit)
    }

    mutating func sent(_ count: Int) { underWay.append(count) }

    mutating func ended(_ count: Int) {
        if let index = underWay.firstIndex(of: count) { underWay.remove(at: index) }
    }
}
