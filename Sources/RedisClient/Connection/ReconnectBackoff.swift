/// Delays between attempts: exponential, each jittered between half and all of its step, so that many clients do not
/// come back together.
struct ReconnectBackoff {
    private let minimum: Duration
    private let maximum: Duration
    private var step: Duration

    init(minimum: Duration, maximum: Duration) {
        self.minimum = minimum
        self.maximum = max(minimum, maximum)
        self.step = minimum
    }

    /// The delay before the next attempt.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        defer { step = min(step * 2, maximum) }
        return step * Double.random(in: 0.5...1, using: &generator)
    }

    /// Only a connection that lasted is a success: one that breaks at once must not be retried at full speed.
    mutating func connectionEnded(after lifetime: Duration) {
        if lifetime > maximum {
            step = minimum
        }
    }
}
