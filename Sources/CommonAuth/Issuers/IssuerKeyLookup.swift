import CommonUtil

/// Decides when the keys of an issuer are fetched, and the answer meanwhile. A state machine: reads no clock, does no
/// I/O.
///
/// Keys are good for 24 hours after the fetch that had them, and end with the fetch that lacks them. They are fetched every
/// ten minutes, and for a `kid` that is not among them at most once a minute, since anybody can invent one.
struct IssuerKeyLookup: Sendable {
    /// What to do with a token.
    enum Answer: Sendable {
        /// Try these keys.
        case keys([IssuerKey])
        /// No key of the issuer can have signed it.
        case unknown
        /// Fetch the keys and look again.
        case fetch
        /// The keys are not available now; after this many seconds there may be another fetch.
        case unavailable(retryAfterSeconds: Int)
    }

    static let refreshInterval = Duration.seconds(600)
    static let retryInterval = Duration.seconds(30)
    static let unknownKeyInterval = Duration.seconds(60)
    static let lifetime = Duration.seconds(24 * 60 * 60)
    /// Unknown `kid`s that are remembered until the next fetch.
    private static let maximumMissed = 1_000

    private var keySet: IssuerKeySet?
    /// The begin of the last successful fetch.
    private var fetchedAt: ContinuousClock.Instant?
    /// The begin of the last attempt.
    private var triedAt: ContinuousClock.Instant?
    /// The begin of the last attempt for an unknown `kid`.
    private var soughtAt: ContinuousClock.Instant?
    /// What the last fetch was found to lack. Empty strings stand for tokens without a `kid`.
    private var missed: Set<String> = []

    /// Whether it is time for the regular fetch.
    func isDue(at now: ContinuousClock.Instant) -> Bool {
        guard let triedAt else { return true }
        let failed = fetchedAt.map { $0 < triedAt } ?? true
        return now - triedAt >= (failed ? Self.retryInterval : Self.refreshInterval)
    }

    /// Notes that a fetch begins.
    mutating func begin(at now: ContinuousClock.Instant) { triedAt = now }

    /// Notes the result of a fetch.
    /// - Parameters:
    ///   - keySet: `nil` if it failed; the known keys stay then.
    ///   - begun: when it began.
    mutating func end(_ keySet: IssuerKeySet?, begun: ContinuousClock.Instant) {
        guard let keySet else { return }
        self.keySet = keySet
        fetchedAt = begun
        missed = []
    }

    /// Finds the keys for a token.
    /// - Parameter asked: when the token came: a fetch that began later and lacks its key decides.
    mutating func keys(
        for algorithm: Issuer.Algorithm, keyID: String?, asked: ContinuousClock.Instant,
        at now: ContinuousClock.Instant
    ) -> Answer {
        if let keySet, let fetchedAt, now - fetchedAt < Self.lifetime {
            let candidates = keySet.candidates(algorithm, keyID: keyID)
            if !candidates.isEmpty { return .keys(candidates) }
            // The key is there and is for another algorithm: no fetch makes it fit.
            if let keyID, keySet.contains(keyID: keyID) { return .unknown }
            if fetchedAt >= asked {
                if missed.count < Self.maximumMissed { missed.insert(Self.mark(algorithm, keyID)) }
                return .unknown
            }
            if missed.contains(Self.mark(algorithm, keyID)),
                soughtAt.map({ now - $0 < Self.unknownKeyInterval }) ?? false
            {
                return .unknown
            }
        }
        if let soughtAt, now - soughtAt < Self.unknownKeyInterval {
            return .unavailable(
                retryAfterSeconds: max(1, Int((Self.unknownKeyInterval - (now - soughtAt)).components.seconds) + 1))
        }
        soughtAt = now
        return .fetch
    }

    private static func mark(_ algorithm: Issuer.Algorithm, _ keyID: String?) -> String {
        "\(algorithm.rawValue) \(keyID ?? "")"
    }
}
