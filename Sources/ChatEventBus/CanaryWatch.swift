/// Tracks whether a subscription delivers: the messages that a server publishes to itself must come back. Pure: no I/O.
///
/// A subscription delivers from the first message that comes back until three in a row are missing. For whatever reason they
/// are: without them nobody knows. It is rebuilt only for messages that Redis has accepted: one that could not be
/// published says nothing about the subscription.
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
        /// Rebuild the subscription: it is open and does not deliver what is published.
        case rebuild
    }

    private let timing: Timing
    private var isSubscribed = false
    private(set) var isDelivering = false
    private var lastDelivery: ContinuousClock.Instant
    /// The begin of the first publishing since the last delivery that succeeded.
    private var missingSince: ContinuousClock.Instant?
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
        missingSince = nil
        if isSubscribed { lastDelivery = now }
        guard !isSubscribed, isDelivering else { return false }
        isDelivering = false
        return true
    }

    /// Redis has accepted a probe.
    /// - Parameter began: the begin of the publishing. A probe can come back before this is called, and one that was
    ///   published before the subscription does not.
    mutating func published(began: ContinuousClock.Instant) {
        guard isSubscribed, missingSince == nil, began > lastDelivery else { return }
        missingSince = began
    }

    /// A probe came back.
    /// - Returns: whether delivery has begun with this.
    mutating func received(now: ContinuousClock.Instant) -> Bool {
        guard isSubscribed else { return false }
        lastDelivery = now
        missingSince = nil
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
        // The first of the missing probes was published an interval after the last delivery.
        let allowedTime = timing.interval * (timing.allowedMisses - 1)
        guard let missingSince, now - missingSince > allowedTime else { return actions }
        if nextRebuild.map({ $0 <= now }) ?? true {
            nextRebuild = now + rebuildWait * Double.random(in: 0.75...1)
            rebuildWait = min(rebuildWait * 2, timing.longestRebuild)
            actions.append(.rebuild)
        }
        return actions
    }
}
