import ChatEventBus
import ChatEvents
import CommonLogging
import CommonUtil
import DequeModule
import Logging
import NIOCore

/// The feeds of the rooms that have sessions on this server: takes what comes from Redis, reads from the log what is
/// missing, and sends each event loop what its sessions get. Confined to the event loop that receives from Redis, so that an
/// event is put in order where it arrives.
final class RoomFeeds {
    /// Time for a missing event to arrive by itself: events of different servers can overtake each other on Redis.
    private static let gapTimeout = TimeAmount.milliseconds(20)
    /// Time for which the feed of a room without sessions stays open: clients that lost their sockets return.
    private static let idleRoomTTL = TimeAmount.seconds(10)
    /// Events of one page that a feed reads from the log.
    private static let pageSize = 256

    final class Entry {
        var feed = RoomFeed()
        /// Unique among the feeds of this server.
        let epoch: Int
        /// Number of sessions, and of admissions under way, by event loop.
        var leases: [Int: Int] = [:]
        /// Event loops that get this room's events.
        var shards: Set<Int> = []
        /// Succeeds when the room's channel is subscribed.
        var followed: EventLoopFuture<Void>?
        /// When the feed is closed, since it has no leases.
        var idleDeadline: NIODeadline?
        var isReading = false
        var failures = Backoff(first: .milliseconds(100), longest: .seconds(2))
        var gap = LogGap()

        init(epoch: Int) { self.epoch = epoch }
    }

    let eventLoop: any EventLoop
    let sessions: ChatRoomSessionManager
    let log: any RoomLog
    private let typing: TypingRelay
    private let metrics: DeliveryMetrics
    let logger: Logger
    private let invalidEvents: RateLimitedLogger
    private let gaps: RateLimitedLogger
    var entries: [RoomID: Entry] = [:]
    private var lastEpoch = 0
    /// Number of interruptions of the way to the logs, as it was seen last.
    var seenInterruptions: Int
    /// Called when there is a reason to compare feeds with the log at once.
    var onSuspectedReset: (() -> Void)?
    /// Called when the way to the logs was interrupted: what was read before may no longer hold.
    var onInterruption: (() -> Void)?
    /// Feeds that had no leases, in the order of their deadlines. Those that have leases again are skipped.
    private var idle: Deque<(roomID: RoomID, deadline: NIODeadline)> = []
    private var isIdleCheckScheduled = false
    private var occupiedRooms = 0 {
        didSet { metrics.setRooms(occupiedRooms) }
    }
    /// Number of dispatches.
    private(set) var dispatchCount = 0
    /// Called with a change of a user's list of rooms.
    var onUserChange: ((UserChange) -> Void)?
    /// Called when the log had events that Redis had not delivered.
    var onMissedEvents: (() -> Void)?
    /// Receives changes of the set of rooms that have sessions here.
    var subscriber: EventSubscriber?

    init(
        eventLoop: any EventLoop, sessions: ChatRoomSessionManager, log: any RoomLog, typing: TypingRelay,
        metrics: DeliveryMetrics, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.sessions = sessions
        self.log = log
        seenInterruptions = log.interruptions
        self.typing = typing
        self.metrics = metrics
        self.logger = logger
        invalidEvents = RateLimitedLogger(logger: logger, message: "an event on Redis is not one that sockets can get")
        gaps = RateLimitedLogger(logger: logger, message: "a room's log lacks events; they are stepped over")
        typing.onDue = { [weak self] event, roomID in
            if let self, let entry = entries[roomID] { dispatch([event], of: roomID, entry) }
        }
    }

    // MARK: Rooms with sessions here

    /// Opens a room's feed, before the log is read for the room's head: once the room is followed nothing is missed.
    /// - Parameter shard: the event loop that the session will live on.
    /// - Returns: a lease that keeps the feed open, and a future that succeeds when the room is followed.
    func open(_ roomID: RoomID, shard: Int) -> (feed: Lease, isFollowed: EventLoopFuture<Void>) {
        let followed = retain(roomID, shard: shard)
        let feeds = NIOLoopBound(self, eventLoop: eventLoop)
        let lease = Lease {
            if feeds.eventLoop.inEventLoop {
                feeds.value.release(roomID, shard: shard)
            } else {
                feeds.eventLoop.execute { feeds.value.release(roomID, shard: shard) }
            }
        }
        return (lease, followed)
    }

    /// As ``open(_:shard:)``, for callers that keep count themselves and call ``release(_:shard:)``.
    /// - Returns: a future that succeeds when the room is followed.
    func retain(_ roomID: RoomID, shard: Int) -> EventLoopFuture<Void> {
        let entry = entries[roomID] ?? makeEntry()
        entries[roomID] = entry
        if entry.leases.isEmpty { occupiedRooms += 1 }
        entry.idleDeadline = nil
        entry.leases[shard, default: 0] += 1
        let followed = entry.followed ?? follow(roomID)
        entry.followed = followed
        return followed
    }

    /// The id of a room with a feed, for callers that keep many: its text is in memory once.
    func interned(_ roomID: RoomID) -> RoomID {
        entries.index(forKey: roomID).map { entries[$0].key } ?? roomID
    }

    func makeEntry() -> Entry {
        lastEpoch += 1
        return Entry(epoch: lastEpoch)
    }

    private func follow(_ roomID: RoomID) -> EventLoopFuture<Void> {
        guard let subscriber, !subscriber.subscribesToAllRooms else { return eventLoop.makeSucceededVoidFuture() }
        return eventLoop.makeFutureWithTask { await subscriber.follow(roomID) }
    }

    /// Ends what ``retain(_:shard:)`` began.
    func release(_ roomID: RoomID, shard: Int) {
        guard let entry = entries[roomID], let leases = entry.leases[shard] else { return }
        entry.leases[shard] = leases > 1 ? leases - 1 : nil
        guard leases == 1 else { return }
        if entry.shards.remove(shard) != nil { sessions.apply([.detach(roomID)], toShard: shard) }
        guard entry.leases.isEmpty else { return }
        occupiedRooms -= 1
        let deadline = eventLoop.now + Self.idleRoomTTL
        entry.idleDeadline = deadline
        idle.append((roomID, deadline))
        scheduleIdleCheck()
    }

    // One timer for all: one for each room would be ten thousand for one user.
    private func scheduleIdleCheck() {
        guard !isIdleCheckScheduled, let first = idle.first else { return }
        isIdleCheckScheduled = true
        eventLoop.assumeIsolated().scheduleTask(deadline: first.deadline) {
            self.isIdleCheckScheduled = false
            self.closeIdleFeeds()
            self.scheduleIdleCheck()
        }
    }

    private func closeIdleFeeds() {
        let now = eventLoop.now
        while let (roomID, deadline) = idle.first, deadline <= now {
            idle.removeFirst()
            if let entry = entries[roomID], entry.idleDeadline == deadline { closeFeed(roomID, entry) }
        }
    }

    func closeFeed(_ roomID: RoomID, _ entry: Entry) {
        guard entries[roomID] === entry, entry.leases.isEmpty else { return }
        entries[roomID] = nil
        subscriber?.drop(roomID)
    }

    /// Gives an open feed the room's head, as read from the log, and the event loop a position before the events that waited.
    func attach(_ roomID: RoomID, shard: Int, _ reading: LogReading) {
        holdAfterInterruption()
        let isVerified = reading.interruptions == seenInterruptions
        if reading.isOtherThanSent, let entry = entries[roomID], entry.epoch == reading.sent?.epoch {
            restart(roomID, entry, head: reading.head)
        }
        guard let entry = entries[roomID] else { return }
        let waited = entry.feed.start(at: reading.head, mark: reading.headMark, isVerified: isVerified)
        if !isVerified { onSuspectedReset?() }
        if let position = entry.feed.position, entry.shards.insert(shard).inserted {
            let mark = waited.isEmpty ? entry.feed.mark : reading.headMark
            sessions.apply([.attach(roomID, position: position - Seq(waited.count), mark: mark)], toShard: shard)
        }
        dispatch(waited, of: roomID, entry)
        entry.feed.noteHead(reading.head)
        readSoonIfBehind(roomID, entry)
    }

    /// Gives an event loop the events of a room whose feed has begun.
    /// - Returns: `false` if it has not: ``attach(_:shard:_:)`` begins it.
    func join(_ roomID: RoomID, shard: Int) -> Bool {
        guard let entry = entries[roomID], let position = entry.feed.position else { return false }
        if entry.shards.insert(shard).inserted {
            sessions.apply([.attach(roomID, position: position, mark: entry.feed.mark)], toShard: shard)
        }
        return true
    }

    /// The positions of the feeds that have begun.
    var positions: [RoomID: Seq] { entries.compactMapValues(\.feed.position) }

    // MARK: Events from Redis, and heads

    /// Takes what arrived from Redis, in order.
    func receive(_ events: [ReceivedEvent]) {
        metrics.receivedFromRedis(events.count)
        holdAfterInterruption()
        var pending: [RoomID: [MessageEvent]] = [:]
        for received in events {
            switch received.channel {
            case .room(let roomID):
                guard let entry = entries[roomID] else { continue }
                guard let event = checked(received, of: roomID), let event = due(event, received, in: roomID) else {
                    continue
                }
                let events = receive(event, of: roomID, entry)
                if !events.isEmpty { pending[roomID, default: []] += events }
            case .user(let userID):
                if let change = UserChange(json: Array(received.json.readableBytesView)) {
                    onUserChange?(change)
                    continue
                }
                guard let event = checked(received, of: nil) else { continue }
                // In the order of arrival, across channels, too.
                dispatch(pending)
                pending.removeAll()
                for shard in sessions.shardIndexes {
                    sessions.apply([.user(userID, event)], toShard: shard)
                }
            }
        }
        dispatch(pending)
    }

    private func checked(_ received: ReceivedEvent, of roomID: RoomID?) -> MessageEvent? {
        if let event = MessageEvent(json: received.json, of: roomID) { return event }
        metrics.receivedInvalid()
        invalidEvents.warning([
            "channel": "\(received.channel.name)", "bytes": .stringConvertible(received.json.readableBytes),
        ])
        return nil
    }

    /// - Returns: `nil` for a typing event that is sent later, or not at all.
    private func due(_ event: MessageEvent, _ received: ReceivedEvent, in roomID: RoomID) -> MessageEvent? {
        event.type == .typing ? typing.receive(event, json: received.json, in: roomID) : event
    }

    private func receive(_ event: MessageEvent, of roomID: RoomID, _ entry: Entry) -> [MessageEvent] {
        guard let seq = event.seq else { return [event] }
        switch entry.feed.receive(event, seq: seq) {
        case .deliver(let events):
            return events
        case .drop:
            return []
        case .wait:
            metrics.foundGap()
            readSoonIfBehind(roomID, entry)
            return []
        case .held:
            readSoonIfBehind(roomID, entry)
            return []
        case .conflict:
            onSuspectedReset?()
            return []
        }
    }

    // MARK: Reading the log

    func readSoonIfBehind(_ roomID: RoomID, _ entry: Entry, in delay: TimeAmount = gapTimeout) {
        guard entry.feed.isBehind, !entry.isReading else { return }
        entry.isReading = true
        eventLoop.assumeIsolated().scheduleTask(in: delay) { self.read(roomID, entry) }
    }

    private func read(_ roomID: RoomID, _ entry: Entry) {
        guard entries[roomID] === entry, let cursor = entry.feed.beginReading() else {
            entry.isReading = false
            return
        }
        eventLoop.makeFutureWithTask { [log] in
            try await log.events(of: roomID, after: cursor, limit: Self.pageSize)
        }.assumeIsolated().whenComplete { self.received($0, of: roomID, entry) }
    }

    private func received(
        _ page: Result<EventPage, any Error>, of roomID: RoomID, _ entry: Entry
    ) {
        entry.isReading = false
        guard entries[roomID] === entry else { return }
        switch page {
        case .success(let page):
            entry.failures.reset()
            metrics.receivedFromLog(page.events.count)
            let result = entry.feed.fill(page.events, after: page.mark, isLast: !page.hasMore)
            guard !result.isOtherLog else { return restart(roomID, entry, head: nil) }
            if !result.events.isEmpty { onMissedEvents?() }
            dispatch(result.events, of: roomID, entry)
            if result.phantoms > 0 {
                metrics.receivedInvalid(result.phantoms)
                invalidEvents.warning(["room": "\(roomID)", "beyond": .stringConvertible(entry.feed.position ?? 0)])
            }
            let pause = result.gapEnd.map { stepOverGap(endingAt: $0, of: roomID, entry) }
            readSoonIfBehind(roomID, entry, in: pause ?? .zero)
        case .failure(let error):
            logger.debug("a feed could not read the log", metadata: ["room": "\(roomID)", "reason": "\(error)"])
            readSoonIfBehind(roomID, entry, in: TimeAmount(entry.failures.next()))
        }
    }

    /// Skips events that the log lacks, once it was read often enough.
    /// - Returns: the pause before the log is read again.
    private func stepOverGap(endingAt end: Seq, of roomID: RoomID, _ entry: Entry) -> TimeAmount {
        guard let position = entry.feed.position else { return .zero }
        switch entry.gap.found(after: position) {
        case .readAgain(let pause):
            return TimeAmount(pause)
        case .stepOver:
            metrics.steppedOverGap()
            gaps.warning(["room": "\(roomID)", "after": "\(position)", "upTo": "\(end)"])
            dispatch(entry.feed.stepOver(upTo: end), of: roomID, entry)
            return .zero
        }
    }

    // MARK: Sending to the event loops

    func dispatch(_ events: [MessageEvent], of roomID: RoomID, _ entry: Entry) {
        guard !events.isEmpty else { return }
        dispatchCount += 1
        let dispatch = RoomDispatch(roomID: roomID, events: events)
        for shard in entry.shards { sessions.apply([.dispatch(dispatch)], toShard: shard) }
    }

    /// One hop to each event loop for the whole batch.
    private func dispatch(_ pending: [RoomID: [MessageEvent]]) {
        var updates: [Int: [ShardUpdate]] = [:]
        dispatchCount += pending.count
        for (roomID, events) in pending {
            guard let entry = entries[roomID], !entry.shards.isEmpty else { continue }
            let dispatch = RoomDispatch(roomID: roomID, events: events)
            for shard in entry.shards { updates[shard, default: []].append(.dispatch(dispatch)) }
        }
        for (shard, updates) in updates { sessions.apply(updates, toShard: shard) }
    }
}
