import CommonUtil
import Logging
import NIOCore

/// Asks the log again and again for the heads of the rooms that have sessions here, so that what Redis lost is found,
/// delivery goes on without Redis, and a log that was set back is noticed. Confined to the feeds' event loop.
final class HeadComparison {
    struct Intervals: Sendable {
        var whileHearing = TimeAmount.seconds(3)
        var whileDeaf = TimeAmount.milliseconds(500)
        /// How long Redis is not relied on after it had not brought what the log had.
        var distrust = TimeAmount.seconds(60)
    }

    /// Rooms that one query asks for.
    private static let chunk = 500

    private let eventLoop: any EventLoop
    private let feeds: RoomFeeds
    private let log: any RoomLog
    private let logger: Logger
    private var next: Scheduled<Void>?
    private var isComparing = false
    private var isStopped = false
    private var pace: ComparisonPace

    /// Whether Redis is being heard. When that changes the heads are compared at once: something may have been missed.
    var isHearing: Bool {
        get { pace.isHearing }
        set {
            guard newValue != isHearing else { return }
            pace.isHearing = newValue
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

    func start() { compare() }

    func stop() {
        isStopped = true
        next?.cancel()
    }

    private func compare() {
        guard !isComparing, !isStopped else { return }
        isComparing = true
        next?.cancel()
        let sent = feeds.positions
        let roomIDs = Array(sent.keys)
        let wasHearing = isHearing
        eventLoop.makeFutureWithTask { [log] in
            var heads: [RoomID: Seq] = [:]
            for start in stride(from: 0, to: roomIDs.count, by: Self.chunk) {
                let chunk = Array(roomIDs[start..<min(start + Self.chunk, roomIDs.count)])
                heads.merge(try await log.heads(of: chunk)) { $1 }
            }
            return heads
        }.assumeIsolated().whenComplete { self.compared($0, sent: sent, wasHearing: wasHearing) }
    }

    private func compared(_ heads: Result<[RoomID: Seq], any Error>, sent: [RoomID: Seq], wasHearing: Bool) {
        isComparing = false
        switch heads {
        case .success(let heads): feeds.hear(ofHeads: heads, sent: sent)
        case .failure(let error): logger.debug("the rooms' heads could not be read", metadata: ["reason": "\(error)"])
        }
        guard !isStopped else { return }
        schedule(in: isHearing != wasHearing ? .zero : pace.interval(now: .now()))
    }

    private func schedule(in interval: TimeAmount) {
        next = eventLoop.assumeIsolated().scheduleTask(in: interval) { self.compare() }
    }

    private func distrustRedis() {
        // What else is missing is not to wait for as long as was meant when Redis was relied on.
        guard pace.eventsWereMissed(now: .now()), !isComparing, !isStopped else { return }
        next?.cancel()
        schedule(in: pace.interval(now: .now()))
    }
}

/// How soon heads are compared again. Reads no clock.
struct ComparisonPace {
    private let intervals: HeadComparison.Intervals
    /// Whether Redis is being heard.
    var isHearing = false
    /// Until then Redis is not relied on: it looks healthy, and somebody's events do not come by it. A publisher may be
    /// refused, or speak to another Redis.
    private var distrustEnds = NIODeadline.uptimeNanoseconds(0)

    init(_ intervals: HeadComparison.Intervals) { self.intervals = intervals }

    func interval(now: NIODeadline) -> TimeAmount {
        isHearing && distrustEnds <= now ? intervals.whileHearing : intervals.whileDeaf
    }

    /// The log had events that Redis had not brought.
    /// - Returns: whether the interval has become shorter by this.
    mutating func eventsWereMissed(now: NIODeadline) -> Bool {
        defer { distrustEnds = now + intervals.distrust }
        return isHearing && distrustEnds <= now
    }
}
