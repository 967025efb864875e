/// Tracks whether a subscription delivers: the messages that a server publishes to itself must come back. Pure: no I/O.
///
/// A subscription delivers from the first message that comes back until three in a row are missing.
struct CanaryWatch {
    /// The intervals of the check.
    struct Timing: Sendable {
        /// Time between two probes.
        var interval = Duration.seconds(1)
        /// Messages that may be missing in a row.
        var allowedMisses = 3
        /// Time between two attempts to rebuild a subscription that does not deliver, doubling up to `longestRebuild`.
        var firstRebuild = Duration.seconds(3)
        var longestRebuild = Duration.seconds(15)
    }

    /// What the subscriber has to do.
    enum Action: Equatable {
        /// The subscription has stopped delivering.
        case stalled
        /// Rebuild the subscription: it is open and delivers nothing.
        case rebuild
    }

    private let timing: Timing
    private var isSubscribed = false
    private(set) var isDelivering = false
    private var lastDelivery: ContinuousClock.Instant
    private var nextRebuild: ContinuousClock.Instant?
    private var rebuildWait: Duration

    init(timing: Timing, now: ContinuousClock.Instant) {
        self.timing = timing
        lastDelivery = now
        rebuildWait = timing.firstRebuild
    }

    /// Time since the last message that came back.
    func silence(now: ContinuousClock.Instant) -> Duration { now - lastDelivery }

    /// The server has confirmed the subscription, or it is lost.
    /// - Returns: whether delivery has ended with this.
    mutating func subscriptionChanged(isSubscribed: Bool, now: ContinuousClock.Instant) -> Bool {
        self.isSubscribed = isSubscribed
        if isSubscribed { lastDelivery = now }
        guard !isSubscribed, isDelivering else { return false }
        isDelivering = false
        return true
    }

    /// A probe came back.
    /// - Returns: whether delivery has begun with this.
    mutating func received(now: ContinuousClock.Instant) -> Bool {
        guard isSubscribed else { return false }
        lastDelivery = now
        nextRebuild = nil
        rebuildWait = timing.firstRebuild
        defer { isDelivering = true }
        return !isDelivering
    }

    /// Checks for missing messages; called at least once in an interval.
    mutating func check(now: ContinuousClock.Instant) -> [Action] {
        guard isSubscribed, silence(now: now) > timing.interval * timing.allowedMisses else { return [] }
        var actions: [Action] = []
        if isDelivering {
            isDelivering = false
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
