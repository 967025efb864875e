import CommonUtil

/// Whether Redis takes what is published. A connection may be up and every `PUBLISH` be refused, by an ACL for instance;
/// then whoever waits for events gets them late, from the log. Reads no clock.
struct PublicationWatch {
    /// What an operator is told, with the publications that were refused since the last time.
    struct Warning: Equatable {
        var reason: String
        var count: Int
    }

    /// What Redis said when it refused the last publication; nil once it has taken all of a later batch.
    private(set) var refusal: String?
    private var throttle = Throttle(interval: .seconds(60))

    /// Takes the outcome of a batch.
    /// - Parameter reason: what Redis said to the refused ones.
    mutating func note(refused: Int, reason: String?, now: ContinuousClock.Instant) -> Warning? {
        refusal = refused > 0 ? reason : nil
        guard let refusal else { return nil }
        return throttle.pass(refused, now: now).map { Warning(reason: refusal, count: $0) }
    }
}
