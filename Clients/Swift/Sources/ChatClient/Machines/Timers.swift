/// Deadlines of a state machine: no clock of its own, the caller says what time it is. All in milliseconds.
struct Timers<Name: Hashable & Sendable>: Sendable {
    private(set) var now: Int64
    /// In the order in which they were set, so that of two that are due at once the older is first.
    private var deadlines: [(name: Name, at: Int64)] = []

    init(now: Int64) { self.now = now }

    /// The earliest deadline.
    var next: Int64? { deadlines.map(\.at).min() }

    func has(_ name: Name) -> Bool { deadlines.contains { $0.name == name } }

    mutating func set(_ name: Name, after milliseconds: Int64) {
        if let index = deadlines.firstIndex(where: { $0.name == name }) {
            deadlines[index].at = now + milliseconds
        } else {
            deadlines.append((name, now + milliseconds))
        }
    }

    mutating func clear(_ names: Name...) { deadlines.removeAll { names.contains($0.name) } }

    mutating func clearAll() { deadlines.removeAll() }

    /// The wall clock went on by so much while the process slept.
    mutating func pull(_ name: Name, by milliseconds: Int64) {
        guard let index = deadlines.firstIndex(where: { $0.name == name }) else { return }
        deadlines[index].at -= milliseconds
    }

    /// Moves the clock to the next deadline that is due at `end`, or to `end`.
    /// - Returns: what has become due; `nil` when the clock is at `end`.
    mutating func advance(to end: Int64) -> Name? {
        guard let next, next <= end, let index = deadlines.firstIndex(where: { $0.at == next }) else {
            now = max(now, end)
            return nil
        }
        now = max(now, next)
        return deadlines.remove(at: index).name
    }
}

/// Random numbers in [0, 1).
typealias RandomSource = @Sendable () -> Double

/// Growing pauses between tries: random in [0, c), c = 0.5, 1, 2 … 30 s.
struct Pauses: Sendable {
    /// The longest pause that a server may ask for.
    static let longestAsked: Int64 = 300_000
    private static let longest: Int64 = 30_000
    private static let shortLife: Int64 = 2000
    private static let freeShortLives = 3

    var attempts = 0
    /// Failures that the next success does not make up for.
    private var strikes = 0
    private var shortLives = 0
    private let random: RandomSource

    init(random: @escaping RandomSource) { self.random = random }

    static func pause(attempt: Int, random: RandomSource) -> Int64 {
        Int64(random() * Double(min(longest, 500 << Int64(min(max(attempt, 0), 10)))))
    }

    mutating func next() -> Int64 {
        defer { attempts += 1 }
        return Self.pause(attempt: max(attempts, strikes, shortLives - Self.freeShortLives), random: random)
    }

    mutating func succeeded() { attempts = 0 }
    mutating func stable() { (strikes, shortLives) = (0, 0) }
    mutating func strike() { strikes += 1 }
    mutating func atLeast(_ attempts: Int) { self.attempts = max(self.attempts, attempts) }

    /// A success that ends at once, over and over, must not become a fast loop.
    mutating func lived(_ milliseconds: Int64) {
        if milliseconds < Self.shortLife { shortLives += 1 }
    }
}
