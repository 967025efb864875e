/// Deadlines of a state machine: no clock of its own, the caller says what time it is. All in milliseconds.
struct Timers<Name: Hashable & Sendable>: Sendable {
    private(set) var now: Int64
    /// In the order in which they were set, so that of two that are due at once the older is first.
    private var deadlines: [(name: Name, at: Int64)] = []

    init(now: Int64) { self.now = now }

    /// The earliest deadline.
    var next: Int64? { deadlines.map(\.at).min() }

    func has(_ name: Name) -> Bool { deadline(name) != nil }

    func deadline(_ name: Name) -> Int64? { deadlines.first { $0.name == name }?.at }

    mutating func set(_ name: Name, after milliseconds: Int64) { set(name, at: now + milliseconds) }

    mutating func set(_ name: Name, at time: Int64) {
        if let index = deadlines.firstIndex(where: { $0.name == name }) {
            deadlines[index].at = time
        } else {
            deadlines.append((name, time))
        }
    }

    mutating func clear(_ names: Name...) { deadlines.removeAll { names.contains($0.name) } }

    mutating func clearAll() { deadlines.removeAll() }

    /// Moves a deadline forward by the time that the process slept.
    mutating func pull(_ name: Name, by milliseconds: Int64) {
        guard let index = deadlines.firstIndex(where: { $0.name == name }) else { return }
        deadlines[index].at -= milliseconds
    }

    /// Moves the clock to the next deadline that is due at `end`, or to `end`.
    /// - Returns: the deadline that is due; `nil` if the clock is at `end`.
    mutating func advance(to end: Int64) -> Name? {
        guard let next, next <= end, let index = deadlines.firstIndex(where: { $0.at == next }) else {
            now = max(now, end)
            return nil
        }
        now = max(now, next)
        return deadlines.remove(at: index).name
    }
}
