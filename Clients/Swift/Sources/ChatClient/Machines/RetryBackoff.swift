/// Random numbers in [0, 1).
typealias RandomSource = @Sendable () -> Double

/// Growing pauses between attempts: random in [0, c), c = 0.5, 1, 2 … 30 s.
struct RetryBackoff: Sendable {
    /// The longest pause that a server may ask for.
    static let longestAsked: Int64 = 300_000
    private static let longest: Int64 = 30_000
    /// A success that lasts less counts as short, in milliseconds.
    private static let shortSuccess: Int64 = 2000
    /// Number of short successes that do not lengthen the pauses.
    private static let freeShortSuccesses = 3

    var attempts = 0
    /// Failures that still count after the next success, until ``stable()``.
    private var unstableFailures = 0
    private var shortSuccesses = 0
    private let random: RandomSource

    init(random: @escaping RandomSource) { self.random = random }

    static func pause(attempt: Int, random: RandomSource) -> Int64 {
        Int64(random() * Double(min(longest, 500 << Int64(min(max(attempt, 0), 10)))))
    }

    /// The pause before the next attempt.
    mutating func next() -> Int64 {
        defer { attempts += 1 }
        let attempt = max(attempts, unstableFailures, shortSuccesses - Self.freeShortSuccesses)
        return Self.pause(attempt: attempt, random: random)
    }

    mutating func succeeded() { attempts = 0 }
    mutating func stable() { (unstableFailures, shortSuccesses) = (0, 0) }

    /// Counts a failure that one success does not make up for.
    mutating func failureUntilStable() { unstableFailures += 1 }
    mutating func atLeast(_ attempts: Int) { self.attempts = max(self.attempts, attempts) }

    /// A success has ended. If successes end at once, over and over, that must not become a fast loop.
    mutating func successEnded(after milliseconds: Int64) {
        if milliseconds < Self.shortSuccess { shortSuccesses += 1 }
    }
}
