/// When the next batch may follow those under way. Pure: no I/O.
///
/// PostgreSQL should find a batch when it is done with one, but few large batches cost less than many small ones. So a
/// second one goes out behind the first as soon as it is at least as large; what comes later gathers for a third.
struct BatchPacing {
    private static let depth = 2

    private var underWay: [Int] = []

    var isIdle: Bool { underWay.isEmpty }

    /// Posts that must wait before another batch goes out; `Int.max` while none may.
    /// - Parameter limit: of posts in a batch.
    func minimum(limit: Int) -> Int {
        guard underWay.count < Self.depth else { return .max }
        return min(underWay.first ?? 1, limit)
    }

    mutating func sent(_ count: Int) { underWay.append(count) }

    mutating func ended(_ count: Int) {
        if let index = underWay.firstIndex(of: count) { underWay.remove(at: index) }
    }
}
