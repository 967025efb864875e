import Synchronization

/// The end of what is done again and again while something else happens.
public final class Finish: Sendable {
    private let isOver = Atomic(false)

    public init() {}

    public func now() { isOver.store(true, ordering: .releasing) }

    /// Does something until the end, or until it fails; `body` is told how often it was done before.
    /// - Returns: what came of each.
    public func repeating<Result: Sendable>(
        _ body: @Sendable (Int) async throws -> Result
    ) async throws -> [Result] {
        var results: [Result] = []
        while !isOver.load(ordering: .acquiring) { results.append(try await body(results.count)) }
        return results
    }
}
