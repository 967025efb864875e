import ChatStorage
import CommonUtil
import Logging
import NIOCore

/// Compares the feeds with the log at intervals: the heads of the rooms that have sessions here, and the marks of the
/// events sent last. Finds events that Redis lost, keeps delivery going without Redis, and detects a log that was set
/// back. Confined to the feeds' event loop.
final class HeadComparison {
    /// Intervals between two comparisons.
    struct Intervals: Sendable {
        /// Interval while events arrive from Redis.
        var whileReceiving = TimeAmount.seconds(3)
        /// Interval while none do.
        var whileStalled = TimeAmount.milliseconds(500)
        /// Time for which Redis counts as stalled after it failed to deliver an event that the log has.
        var distrust = TimeAmount.seconds(60)
    }

    /// Interval while a feed is held.
    private static let whileHeld = TimeAmount.milliseconds(20)

    private let eventLoop: any EventLoop
    private let feeds: RoomFeeds
    private let log: any RoomLog
    private let logger: Logger
    private var next: Scheduled<Void>?
    private var isComparing = false
    /// Whether there is a reason to compare again as soon as this comparison has ended.
    private var isDue = false
    private var isStopped = false
    private var pace: ComparisonPace

    /// Called at each comparison, for others that have to find what Redis lost.
    var onCompare: () -> Void = {}

    /// Whether events arrive from Redis. A change compares the heads at once: something may have been missed.
    var isReceiving: Bool {
        get { pace.isReceiving }
        set {
            guard newValue != isReceiving else { return }
            pace.isReceiving = newValue
            compare()
        }
    }

    init(eventLoop: any EventLoop, feeds: RoomFeeds, log: any RoomLog, intervals: Intervals, logger: Logger) {
        self.eventLoop = eventLoop
        self.feeds = feeds
        self.log = log
        pace = ComparisonPace(intervals)
        self.logger = logger
        feeds.onMissedEvents = { [weak self] in self?.distrustRedis() }
        feeds.onSuspectedReset = { [weak self] in self?.compareSoon() }
    }

    /// Starts to compare.
    func start() { compare() }

    /// Stops to compare.
    func stop() {
        isStopped = true
        next?.cancel()
    }

    private func compare() {
        guard !isComparing, !isStopped else { return }
        isComparing = true
        next?.cancel()
        onCompare()
        feeds.holdAfterInterruption()
        isDue = false
        let interruptions = feeds.interruptions
        let probes = feeds.probes.map { (roomID: $0, probe: $1) }
        let wasReceiving = isReceiving
        eventLoop.makeFutureWithTask { [log] in
            try await Self.verdicts(of: probes, in: log)
        }.assumeIsolated().whenComplete { verdicts in
            self.isComparing = false
            self.compared(verdicts, interruptions: interruptions, wasReceiving: wasReceiving)
        }
    }

    private static func verdicts(
        of probes: [(roomID: RoomID, probe: FeedProbe)], in log: any RoomLog
    ) async throws -> [(roomID: RoomID, probe: FeedProbe, verdict: FeedProbe.Verdict)] {
        let asked = probes.flatMap { roomID, probe in probe.asked.map { (roomID: roomID, seq: $0) } }
        var found: [LogPosition?] = []
        found.reserveCapacity(asked.count)
        for chunk in asked.chunks(of: QuerySize.keys) { found += try await log.positions(at: chunk) }
        var rest = found[...]
        return probes.map { roomID, probe in
            defer { rest = rest.dropFirst(probe.asked.count) }
            return (roomID, probe, probe.verdict(rest.prefix(probe.asked.count)))
        }
    }

    private func compared(
        _ verdicts: Result<[(roomID: RoomID, probe: FeedProbe, verdict: FeedProbe.Verdict)], any Error>,
        interruptions: Int, wasReceiving: Bool
    ) {
        var interval = pace.interval(now: .now())
        switch verdicts {
        case .success(let verdicts):
            feeds.compared(verdicts, interruptions: interruptions)
            if isReceiving != wasReceiving || isDue || feeds.isAnyHeld { interval = Self.whileHeld }
        case .failure(let error):
            logger.debug("the rooms' heads could not be read", metadata: ["reason": "\(error)"])
            if feeds.isAnyHeld { interval = pace.shortest }
        }
        if !isStopped { schedule(in: interval) }
    }

    /// Compares at once, since there is a reason to suspect a reset.
    private func compareSoon() {
        isDue = true
        if !isComparing { compare() }
    }

    private func schedule(in interval: TimeAmount) {
        next = eventLoop.assumeIsolated().scheduleTask(in: interval) { self.compare() }
    }

    private func distrustRedis() {
        // The present interval was chosen while Redis was relied on.
        guard pace.eventsWereMissed(now: .now()), !isComparing, !isStopped else { return }
        next?.cancel()
        schedule(in: pace.interval(now: .now()))
    }
}

/// Chooses the interval between two comparisons. Pure: no I/O.
struct ComparisonPace {
    private let intervals: HeadComparison.Intervals
    /// Whether events arrive from Redis.
    var isReceiving = false
    /// Until then Redis is not relied on: it looks healthy but does not deliver everything. A publisher may be refused, or
    /// be connected to another Redis.
    private var distrustEnds = NIODeadline.uptimeNanoseconds(0)

    init(_ intervals: HeadComparison.Intervals) { self.intervals = intervals }

    /// The interval until the next comparison.
    func interval(now: NIODeadline) -> TimeAmount {
        isReceiving && distrustEnds <= now ? intervals.whileReceiving : intervals.whileStalled
    }

    /// The shortest interval.
    var shortest: TimeAmount { intervals.whileStalled }

    /// Notes that the log had events that Redis had not delivered.
    /// - Returns: whether the interval has become shorter by this.
    mutating func eventsWereMissed(now: NIODeadline) -> Bool {
        defer { distrustEnds = now + intervals.distrust }
        return isReceiving && distrustEnds <= now
    }
}
