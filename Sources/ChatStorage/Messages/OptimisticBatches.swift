/// Whether a batch is stored on trust, all or nothing. Pure: no I/O.
///
/// Almost every post passes, and a batch in which all do costs PostgreSQL a fifth less if none of them is judged by
/// itself. One that is refused is stored again with each of its posts judged, at the cost of the first try. Posts that do
/// not pass come together (repeated ones after a failure, those of somebody who tries again and again); so from one on,
/// and after a start, batches are judged for a while.
struct OptimisticBatches {
    /// Batches that are judged.
    private let span: Int
    private var remaining: Int

    init(validatedSpan span: Int) {
        self.span = span
        remaining = span
    }

    /// - Returns: whether the next batch is to be stored all or nothing.
    mutating func isNextOptimistic() -> Bool {
        guard remaining > 0 else { return true }
        remaining -= 1
        return false
    }

    /// A batch failed: some of its posts do not pass, or will come again.
    mutating func failed() { remaining = span }
}
