import ChatEventBus
import ChatEvents
import CommonUtil
import Logging
import NIOCore

/// The feeds of the rooms that have sessions here. Confined to the event loop on which Redis is heard.
final class RoomFeeds {
    /// How long something missing may still arrive by itself: servers' events can overtake each other on Redis.
    private static let gapTimeout = TimeAmount.milliseconds(20)
    /// How long a room without sessions is still followed: those who lost their sockets come back.
    private static let idleRoomTTL = TimeAmount.seconds(10)
    /// Events of one page that a feed reads from the log.
    private static let pageSize = 256

    private final class Entry {
        var feed = RoomFeed()
        /// Sessions, and those about to be, by event loop.
        var leases: [Int: Int] = [:]
        /// The event loops that hear of this room.
        var shards: Set<Int> = []
        /// Succeeds when Redis is heard on this room.
        var followed: EventLoopFuture<Void>?
        var isReading = false
        var failures = Backoff(first: .milliseconds(100), longest: .seconds(2))
        var gap = LogGap()
    }

    private let eventLoop: any EventLoop
    private let sessions: ChatRoomSessionManager
    private let log: any RoomLog
    private let typing: TypingRelay
    private let metrics: DeliveryMetrics
    private let logger: Logger
    private let invalidEvents: QuietLog
    private let gaps: QuietLog
    private var entries: [RoomID: Entry] = [:]
    private var occupiedRooms = 0 {
        didSet { metrics.hasRooms(occupiedRooms) }
    }
    /// Called where the log had events that Redis had not brought.
    var onMissedEvents: (() -> Void)?
    /// Told which rooms have sessions here.
    var subscriber: EventSubscriber?

    init(
        eventLoop: any EventLoop, sessions: ChatRoomSessionManager, log: any RoomLog, typing: TypingRelay,
        metrics: DeliveryMetrics, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.sessions = sessions
        self.log = log
        self.typing = typing
        self.metrics = metrics
        self.logger = logger
        invalidEvents = QuietLog(logger: logger, message: "an event on Redis is not one that sockets can get")
        gaps = QuietLog(logger: logger, message: "a room's log lacks events; they are stepped over")
        typing.onDue = { [unowned self] event, roomID in
            if let entry = entries[roomID] { dispatch([event], of: roomID, entry) }
        }
    }

    // MARK: Rooms with sessions here

    /// - Returns: succeeds when Redis is heard on this room.
    func retain(_ roomID: RoomID, shard: Int) -> EventLoopFuture<Void> {
        let entry = entries[roomID] ?? Entry()
        entries[roomID] = entry
        if entry.leases.isEmpty { occupiedRooms += 1 }
        entry.leases[shard, default: 0] += 1
        let followed = entry.followed ?? follow(roomID)
        entry.followed = followed
        return followed
    }

    private func follow(_ roomID: RoomID) -> EventLoopFuture<Void> {
        guard let subscriber, !subscriber.hearsAllRooms else { return eventLoop.makeSucceededVoidFuture() }
        return eventLoop.makeFutureWithTask { await subscriber.follow(roomID) }
    }

    func release(_ roomID: RoomID, shard: Int) {
        guard let entry = entries[roomID], let leases = entry.leases[shard] else { return }
        entry.leases[shard] = leases > 1 ? leases - 1 : nil
        guard leases == 1 else { return }
        if entry.shards.remove(shard) != nil { sessions.apply([.detach(roomID)], toShard: shard) }
        guard entry.leases.isEmpty else { return }
        occupiedRooms -= 1
        eventLoop.assumeIsolated().scheduleTask(in: Self.idleRoomTTL) { self.forget(roomID, entry) }
    }

    private func forget(_ roomID: RoomID, _ entry: Entry) {
        guard entries[roomID] === entry, entry.leases.isEmpty else { return }
        entries[roomID] = nil
        subscriber?.drop(roomID)
    }

    /// - Parameters:
    ///   - head: the room's, as the log told it.
    ///   - sent: the room's position before the log was asked.
    func attach(_ roomID: RoomID, shard: Int, head: Seq, sent: Seq?) {
        if let sent, head < sent, let entry = entries[roomID], entry.feed.position.map({ $0 >= sent }) == true {
            startAnew(roomID, entry, head: head)
        }
        guard let entry = entries[roomID] else { return }
        let waited = entry.feed.start(at: head)
        if let position = entry.feed.position, entry.shards.insert(shard).inserted {
            sessions.apply([.attach(roomID, position: position - Seq(waited.count))], toShard: shard)
        }
        dispatch(waited, of: roomID, entry)
        entry.feed.hear(ofHead: head)
        readSoonIfBehind(roomID, entry)
    }

    /// The rooms whose feed has begun, and the highest event that was sent of each.
    var positions: [RoomID: Seq] { entries.compactMapValues(\.feed.position) }

    // MARK: Events

    func receive(_ events: [ReceivedEvent]) {
        metrics.receivedFromRedis(events.count)
        var lines: [RoomID: [MessageEvent]] = [:]
        for received in events {
            switch received.channel {
            case .room(let roomID):
                guard let entry = entries[roomID] else { continue }
                guard let event = checked(received, of: roomID), let event = due(event, received, in: roomID) else {
                    continue
                }
                let line = take(event, of: roomID, entry)
                if !line.isEmpty { lines[roomID, default: []] += line }
            case .user(let userID):
                guard let event = checked(received, of: nil) else { continue }
                // In the order of arrival, across channels, too.
                dispatch(lines)
                lines.removeAll()
                for shard in sessions.shardIndexes {
                    sessions.apply([.user(userID, frame: event.frame)], toShard: shard)
                }
            }
        }
        dispatch(lines)
    }

    /// Takes the heads of rooms, as the log told them; 0 for a room that is not there.
    /// - Parameter sent: the rooms' positions before the log was asked.
    func hear(ofHeads heads: [RoomID: Seq], sent: [RoomID: Seq]) {
        for (roomID, sent) in sent {
            guard let entry = entries[roomID], let position = entry.feed.position, position >= sent else { continue }
            let head = heads[roomID] ?? 0
            guard head >= sent else {
                startAnew(roomID, entry, head: head)
                continue
            }
            entry.feed.hear(ofHead: head)
            readSoonIfBehind(roomID, entry)
        }
    }

    private func checked(_ received: ReceivedEvent, of roomID: RoomID?) -> MessageEvent? {
        if let event = MessageEvent(json: received.json, of: roomID) { return event }
        metrics.receivedInvalid()
        invalidEvents.note([
            "channel": "\(received.channel.name)", "bytes": .stringConvertible(received.json.readableBytes),
        ])
        return nil
    }

    /// - Returns: `nil` for an event that is to be told later.
    private func due(_ event: MessageEvent, _ received: ReceivedEvent, in roomID: RoomID) -> MessageEvent? {
        event.type == .typing ? typing.hear(event, json: received.json, in: roomID) : event
    }

    private func take(_ event: MessageEvent, of roomID: RoomID, _ entry: Entry) -> [MessageEvent] {
        guard let seq = event.seq else { return [event] }
        switch entry.feed.receive(event, seq: seq) {
        case .deliver(let line):
            return line
        case .drop:
            return []
        case .wait:
            metrics.foundHole()
            readSoonIfBehind(roomID, entry)
            return []
        }
    }

    // MARK: Reading the log

    private func readSoonIfBehind(_ roomID: RoomID, _ entry: Entry, in delay: TimeAmount = gapTimeout) {
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
        _ page: Result<(events: [MessageEvent], hasMore: Bool), any Error>, of roomID: RoomID, _ entry: Entry
    ) {
        entry.isReading = false
        guard entries[roomID] === entry else { return }
        switch page {
        case .success(let page):
            entry.failures.reset()
            metrics.receivedFromLog(page.events.count)
            let filling = entry.feed.fill(page.events, isLast: !page.hasMore)
            if !filling.line.isEmpty { onMissedEvents?() }
            dispatch(filling.line, of: roomID, entry)
            if filling.phantoms > 0 {
                metrics.receivedInvalid(filling.phantoms)
                invalidEvents.note(["room": "\(roomID)", "beyond": .stringConvertible(entry.feed.position ?? 0)])
            }
            let pause = filling.gapEnd.map { stepOverGap(endingAt: $0, of: roomID, entry) }
            readSoonIfBehind(roomID, entry, in: pause ?? .zero)
        case .failure(let error):
            logger.debug("a feed could not read the log", metadata: ["room": "\(roomID)", "reason": "\(error)"])
            readSoonIfBehind(roomID, entry, in: TimeAmount(entry.failures.next()))
        }
    }

    /// Goes on behind events that the log lacks, once they were looked for often enough.
    /// - Returns: how long to wait until the log is read again.
    private func stepOverGap(endingAt end: Seq, of roomID: RoomID, _ entry: Entry) -> TimeAmount {
        guard let position = entry.feed.position else { return .zero }
        switch entry.gap.found(after: position) {
        case .readAgain(let pause):
            return TimeAmount(pause)
        case .stepOver:
            metrics.steppedOverGap()
            gaps.note(["room": "\(roomID)", "after": "\(position)", "upTo": "\(end)"])
            dispatch(entry.feed.stepOver(upTo: end), of: roomID, entry)
            return .zero
        }
    }

    // MARK: A log that was set back

    /// The highest event that was sent of a room; `nil` where nothing can have been.
    func position(of roomID: RoomID) -> Seq? { entries[roomID]?.feed.position }

    /// Begins a room anew whose log no longer holds what was sent of it: PostgreSQL came back without its last commits. Its
    /// sessions are closed, and those who come begin with the log as it is now.
    private func startAnew(_ roomID: RoomID, _ old: Entry, head: Seq) {
        logger.warning(
            "a room's log was set back",
            metadata: ["room": "\(roomID)", "sent": "\(old.feed.position ?? 0)", "head": "\(head)"])
        for shard in old.shards { sessions.apply([.logSetBack(roomID)], toShard: shard) }
        guard !old.leases.isEmpty else { return forget(roomID, old) }
        // Another object, so that nothing that is under way for the old log comes into the new one.
        let entry = Entry()
        entry.leases = old.leases
        entry.followed = old.followed
        entries[roomID] = entry
    }

    // MARK: Telling the event loops

    private func dispatch(_ line: [MessageEvent], of roomID: RoomID, _ entry: Entry) {
        guard !line.isEmpty else { return }
        let dispatch = RoomDispatch(roomID: roomID, events: line)
        for shard in entry.shards { sessions.apply([.dispatch(dispatch)], toShard: shard) }
    }

    /// One hop to each event loop for the whole batch.
    private func dispatch(_ lines: [RoomID: [MessageEvent]]) {
        var updates: [Int: [ShardUpdate]] = [:]
        for (roomID, line) in lines {
            guard let entry = entries[roomID], !entry.shards.isEmpty else { continue }
            let dispatch = RoomDispatch(roomID: roomID, events: line)
            for shard in entry.shards { updates[shard, default: []].append(.dispatch(dispatch)) }
        }
        for (shard, updates) in updates { sessions.apply(updates, toShard: shard) }
    }
}
