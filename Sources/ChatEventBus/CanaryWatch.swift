/// Whether a subscription that looks healthy delivers: what a server publishes to itself must come back. Pure, no I/O.
///
/// It hears from the first message of its own that comes back, until three in a row stay away.
struct CanaryWatch {
    struct Timing: Sendable {
        /// Between two messages.
        var interval = Duration.seconds(1)
        /// Messages that may stay away in a row.
        var allowedMisses = 3
        /// Between two attempts to make a subscription deliver by making it anew, doubling up to `longestRebuild`.
        var firstRebuild = Duration.seconds(3)
        var longestRebuild = Duration.seconds(15)
    }

    enum Action: Equatable {
        /// From now on nothing is heard.
        case stalled
        /// Make the subscription anew: it is open and delivers nothing.
        case rebuild
    }

    private let timing: Timing
    private var isSubscribed = false
    private(set) var isHearing = false
    private var lastSign: ContinuousClock.Instant
    private var nextRebuild: ContinuousClock.Instant?
    private var rebuildWait: Duration

    init(timing: Timing, now: ContinuousClock.Instant) {
        self.timing = timing
        lastSign = now
        rebuildWait = timing.firstRebuild
    }

    /// How long nothing of its own has come back.
    func silence(now: ContinuousClock.Instant) -> Duration { now - lastSign }

    /// The server has confirmed the subscription, or it is lost.
    /// - Returns: whether hearing has ended with this.
    mutating func subscriptionChanged(isSubscribed: Bool, now: ContinuousClock.Instant) -> Bool {
        self.isSubscribed = isSubscribed
        if isSubscribed { lastSign = now }
        guard !isSubscribed, isHearing else { return false }
        isHearing = false
        return true
    }

    /// A message of its own came back.
    /// - Returns: whether hearing has begun with this.
    mutating func heard(now: ContinuousClock.Instant) -> Bool {
        guard isSubscribed else { return false }
        lastSign = now
        nextRebuild = nil
        rebuildWait = timing.firstRebuild
        defer { isHearing = true }
        return !isHearing
    }

    /// To be called at least once in an interval.
    mutating func look(now: ContinuousClock.Instant) -> [Action] {
        guard isSubscribed, silence(now: now) > timing.interval * timing.allowedMisses else { return [] }
        var actions: [Action] = []
        if isHearing {
            isHearing = false
            actions.append(.stalled)
        }
        if nextRebuild.map({ $0 <= now }) ?? true {
            nextRebuild = now + rebuildWait * Double.random(in: 0.75...1)
            rebuildWait = min(rebuildWait * 2, timing.longestRebuild)
            actions.append(.rebuild)
        }
        return actions
    }
}
