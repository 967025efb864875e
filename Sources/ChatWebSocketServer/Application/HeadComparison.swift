import CommonUtil
import Logging
import NIOCore

/// Asks the log again and again for the heads of the rooms that have sessions here, so that what Redis lost is found,
/// delivery goes on without Redis, and a log that was set back is noticed. Confined to the feeds' event loop.
final class HeadComparison {
    struct Intervals: Sendable {
        var whileHearing = TimeAmount.seconds(3)
        var whileDeaf = TimeAmount.milliseconds(500)
    }

    /// Rooms that one query asks for.
    private static let chunk = 500

    private let eventLoop: any EventLoop
    private let feeds: RoomFeeds
    private let log: any RoomLog
    private let intervals: Intervals
    private let logger: Logger
    private var next: Scheduled<Void>?
    private var isComparing = false
    private var isStopped = false

    /// Whether Redis is being heard. When that changes the heads are compared at once: something may have been missed.
    var isHearing = false {
        didSet { if isHearing != oldValue { compare() } }
    }

    init(eventLoop: any EventLoop, feeds: RoomFeeds, log: any RoomLog, intervals: Intervals, logger: Logger) {
        self.eventLoop = eventLoop
        self.feeds = feeds
        self.log = log
        self.intervals = intervals
        self.logger = logger
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
        let interval =
            if isHearing != wasHearing { TimeAmount.zero } else if isHearing { intervals.whileHearing } else {
                intervals.whileDeaf
            }
        next = eventLoop.assumeIsolated().scheduleTask(in: interval) { self.compare() }
    }
}
