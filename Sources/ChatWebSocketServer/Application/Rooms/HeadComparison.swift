import CommonUtil
import Logging
import NIOCore

/// Reads the heads of the rooms that have sessions here from the log, at intervals: so events that Redis lost are found,
/// delivery continues without Redis, and a log that was set back is noticed. Confined to the feeds' event loop.
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

    /// Rooms of one query.
    private static let chunk = 500

    private let eventLoop: any EventLoop
    private let feeds: RoomFeeds
    private let log: any RoomLog
    private let logger: Logger
    private var next: Scheduled<Void>?
    private var isComparing = false
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
        let sent = feeds.positions
        let roomIDs = Array(sent.keys)
        let wasReceiving = isReceiving
        eventLoop.makeFutureWithTask { [log] in
            var heads: [RoomID: Seq] = [:]
            for start in stride(from: 0, to: roomIDs.count, by: Self.chunk) {
                let chunk = Array(roomIDs[start..<min(start + Self.chunk, roomIDs.count)])
                heads.merge(try await log.heads(of: chunk)) { $1 }
            }
            return heads
        }.assumeIsolated().whenComplete { self.compared($0, sent: sent, wasReceiving: wasReceiving) }
    }

    private func compared(_ heads: Result<[RoomID: Seq], any Error>, sent: [RoomID: Seq], wasReceiving: Bool) {
        isComparing = false
        switch heads {
        case .success(let heads): feeds.compare(heads: heads, sent: sent)
        case .failure(let error): logger.debug("the rooms' heads could not be read", metadata: ["reason": "\(error)"])
        }
        guard !isStopped else { return }
        schedule(in: isReceiving != wasReceiving ? .zero : pace.interval(now: .now()))
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

/// Chooses the interval between two comparisons. Pure, no I/O.
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

    /// Notes that the log had events that Redis had not delivered.
    /// - Returns: whether the interval has become shorter by this.
    mutating func eventsWereMissed(now: NIODeadline) -> Bool {
        defer { distrustEnds = now + intervals.distrust }
        return isReceiving && distrustEnds <= now
    }
}
