/// Whether a batch first looks whether its keys are taken. Pure: no I/O.
///
/// Almost every key is new, and the unique index refuses one that is not. So batches are stored without looking, and
/// one that is refused is stored again with a look, at the cost of the first try. Repeated posts come together, after a
/// failure; so from one on, and after a start, some batches look first.
struct KeyLookup {
    /// Batches that look first.
    private let span: Int
    private var remaining: Int

    init(span: Int) {
        self.span = span
        remaining = span
    }

    /// - Returns: whether the next batch looks.
    mutating func isDue() -> Bool {
        guard remaining > 0 else { return false }
        remaining -= 1
        return true
    }

    /// A batch failed: some of its posts had come before, or will come again.
    mutating func failed() { remaining = span }
}
